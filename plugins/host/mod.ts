/**
 * host: runs plugins beside a broker, and keeps their faults from becoming the broker's.
 * Invariant: whatever a plugin throws, now or later, is logged and costs the plugin a new start;
 * nothing else is caught.
 * Upstream: config, runtime, plugin, http. Downstream: plugins/mod.ts.
 * May import: core/config, core/runtime, core/plugin, plugins/http, node's AsyncLocalStorage.
 * @module
 */
export type { BuiltIn, Chosen } from "./chosen.ts";
export { choosePlugins } from "./chosen.ts";
export { PluginHost } from "./plugin_host.ts";
