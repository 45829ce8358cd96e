/** From settings to plugins: which ones, loaded from where, with which settings of their own. */
import { type Config, suggest } from "../../core/config/mod.ts";
import type { Plugin } from "../../core/plugin/mod.ts";

/** A plugin that comes with the broker. */
export interface BuiltIn {
  /** Imported when it is started: what clients wait for must not wait for it. */
  load(): Promise<Plugin>;
  /** Whether the settings leave it something to do. */
  wanted(config: Config): boolean;
  /** Its settings out of the broker's. */
  settings(config: Config): unknown;
  /** URLs that its own modules start with. */
  readonly roots: readonly string[];
}

/** A plugin that is to run. */
export interface Chosen {
  readonly name: string;
  readonly roots: readonly string[];
  /** The plugin with its settings checked; what it rejects with is a sentence. */
  load(): Promise<{ readonly plugin: Plugin; readonly settings: unknown }>;
}

/**
 * The plugins that the settings name, in order. Modules are imported and their settings checked
 * here, so that what is wrong with them is known before the broker starts.
 */
export async function choosePlugins(
  config: Config,
  builtIns: Readonly<Record<string, BuiltIn>>,
): Promise<Chosen[]> {
  const chosen: Chosen[] = [];
  for (const name of config.plugins) {
    const builtIn = Object.hasOwn(builtIns, name) ? builtIns[name]! : undefined;
    if (builtIn?.wanted(config) === false) continue;
    const next = builtIn === undefined
      ? await fromModule(name, config, Object.keys(builtIns))
      : fromBuiltIn(name, builtIn, config);
    if (chosen.some((other) => other.name === next.name)) {
      throw new Error(`KAFSCALE_PLUGINS names the plugin ${next.name} twice; remove one`);
    }
    chosen.push(next);
  }
  for (const name of Object.keys(config.pluginSettings ?? {})) {
    const taken = chosen.map((each) => each.name).filter((each) => !Object.hasOwn(builtIns, each));
    if (taken.includes(name)) continue;
    throw new Error(
      `KAFSCALE_PLUGIN_SETTINGS has settings for ${name}, and no module in KAFSCALE_PLUGINS has ` +
        `that name${suggest(name, taken)}`,
    );
  }
  return chosen;
}

function fromBuiltIn(name: string, builtIn: BuiltIn, config: Config): Chosen {
  const load = async () => {
    const plugin = await builtIn.load();
    return { plugin, settings: checked(plugin, builtIn.settings(config)) };
  };
  return { name, roots: builtIn.roots, load };
}

async function fromModule(
  path: string,
  config: Config,
  known: readonly string[],
): Promise<Chosen> {
  if (!/[./]/.test(path)) {
    throw new Error(
      `KAFSCALE_PLUGINS names no plugin: ${path}${suggest(path, known)}; ` +
        "a module is named by its path (./my_plugin.ts)",
    );
  }
  const url = await moduleUrl(path);
  const plugin = pluginOf(path, await importModule(path, url));
  const settings = checked(plugin, config.pluginSettings?.[plugin.name] ?? {});
  // beside it in its folder, whatever it imports from there
  const roots = [url.slice(0, url.lastIndexOf("/") + 1)];
  return { name: plugin.name, roots, load: () => Promise.resolve({ plugin, settings }) };
}

async function moduleUrl(path: string): Promise<string> {
  if (path.startsWith("file:")) return path;
  try {
    return `file://${await Deno.realPath(path)}`;
  } catch {
    throw new Error(`KAFSCALE_PLUGINS names the module ${path}, which does not exist`);
  }
}

async function importModule(path: string, url: string): Promise<Record<string, unknown>> {
  try {
    return await import(url);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`KAFSCALE_PLUGINS names the module ${path}, which cannot be loaded: ${why}`);
  }
}

function pluginOf(path: string, module: Record<string, unknown>): Plugin {
  const plugin = (module.plugin ?? module.default) as Partial<Plugin> | undefined;
  const whole = typeof plugin?.name === "string" && /^[A-Za-z0-9_-]+$/.test(plugin.name) &&
    typeof plugin.start === "function" && typeof plugin.settings?.safeParse === "function";
  if (whole) return plugin as Plugin;
  throw new Error(
    `the module ${path} that KAFSCALE_PLUGINS names must export \`plugin\` with a name, a zod ` +
      "schema `settings` and a function `start` (docs/plugins.md)",
  );
}

function checked(plugin: Plugin, input: unknown): unknown {
  const result = plugin.settings.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`
  );
  throw new Error(
    `the plugin ${plugin.name} refuses its settings in KAFSCALE_PLUGIN_SETTINGS: ` +
      faults.join("; "),
  );
}
