/**
 * plugins: the registry of what comes with the broker and serves people or machines beside it.
 * Invariant: only what the settings name is loaded, and built-ins after the broker listens.
 * Upstream: core's contract. Downstream: main.ts, tests, bench.
 * May import: core/config, core/runtime, core/plugin, and the plugins.
 * @module
 */
import type { Config } from "../core/config/mod.ts";
import type { Runtime } from "../core/runtime/mod.ts";
import { type BuiltIn, choosePlugins, PluginHost } from "./host/mod.ts";

const isServed = ({ metricsAddr }: Config) => metricsAddr !== null;

const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  metrics: {
    load: async () => (await import("./metrics/plugin.ts")).plugin,
    wanted: isServed,
    settings: ({ metricsAddr, metricsTopicsMax, metricsGroupsMax, storePrices, storage }) => ({
      address: metricsAddr,
      topicsMax: metricsTopicsMax,
      groupsMax: metricsGroupsMax,
      prices: storePrices,
      storage,
    }),
    roots: ["/plugins/metrics/"],
  },
  ops: {
    load: async () => (await import("./ops/plugin.ts")).plugin,
    wanted: isServed,
    settings: ({ metricsAddr, opsToken, operatorEtcdSnapshotPrefix: snapshotPrefix }) => ({
      address: metricsAddr,
      token: opsToken,
      snapshotPrefix,
    }),
    roots: ["/plugins/ops/"],
  },
  control: {
    load: async () => (await import("./control/plugin.ts")).plugin,
    wanted: ({ controlAddr }) => controlAddr !== null,
    settings: (config) => ({
      address: config.controlAddr,
      certFile: config.controlCertFile,
      keyFile: config.controlKeyFile,
      clientCaFile: config.controlClientCaFile,
      token: config.opsToken,
      topicsMax: config.metricsTopicsMax,
      groupsMax: config.metricsGroupsMax,
    }),
    roots: ["/plugins/control/"],
  },
  snapshot: {
    load: async () => (await import("./snapshot/plugin.ts")).plugin,
    // SQLite's file is beside the records, or is copied by other means
    wanted: (config) => config.metadata === "etcd" && config.operatorEtcdSnapshotSchedule !== null,
    settings: (config) => ({
      schedule: config.operatorEtcdSnapshotSchedule,
      prefix: config.operatorEtcdSnapshotPrefix,
      keep: config.operatorEtcdSnapshotKeep,
      staleAfterMs: config.operatorEtcdSnapshotStaleAfterSec * 1_000,
      preflight: !config.operatorEtcdSnapshotSkipPreflight,
    }),
    roots: ["/plugins/snapshot/"],
  },
};

/**
 * The plugins that the settings name, listening but not yet started. Rejects with a sentence where
 * a setting of theirs is wrong or their address is taken.
 */
export async function openPlugins(
  { config, runtime }: { readonly config: Config; readonly runtime: Runtime },
): Promise<PluginHost> {
  const host = new PluginHost(config, runtime, await choosePlugins(config, BUILT_IN));
  host.listen();
  return host;
}
