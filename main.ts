/** The front door: hands the command line to a command, and drivers to core. */
import { runCli, type Wiring } from "./plugins/cli/mod.ts";
import manifest from "./deno.json" with { type: "json" };

// Loaded when used: help and the client commands need neither a broker nor drivers.
const wiring: Omit<Wiring, "commit"> = {
  version: manifest.version,
  startBroker: async (config, log) => {
    const [core, { systemRuntime }, { openMetadata, openStore }, { openPlugins }] = await Promise
      .all([
        import("./core/broker.ts"),
        import("./core/runtime/system.ts"),
        import("./drivers/mod.ts"),
        import("./plugins/mod.ts"),
      ]);
    const runtime = systemRuntime(log);
    const opened: { close(): Promise<void> }[] = [];
    const closeAll = async () => {
      for (const each of opened.splice(0).reverse()) await each.close();
    };
    const failed = Promise.withResolvers<unknown>();
    try {
      const plugins = await openPlugins({ config, runtime });
      opened.push({ close: () => plugins.stop() });
      // metadata first: it locks the data directory against a second broker
      const metadata = await openMetadata({ config, runtime });
      opened.push(metadata);
      const store = await openStore({ config, runtime });
      opened.push(store);
      const broker = await core.createBroker({
        config,
        runtime,
        store,
        metadata,
        version: manifest.version,
        onFatal: failed.resolve,
      });
      // not awaited: clients are served meanwhile, and faults of plugins are theirs alone
      void plugins.start(broker.view());
      return {
        host: broker.host,
        port: broker.port,
        failed: failed.promise,
        drain: () => broker.drain(),
        stop: async () => {
          await broker.stop();
          await closeAll();
        },
      };
    } catch (error) {
      await closeAll();
      throw error;
    }
  },
  openStore: async (config, log, access) => {
    const [{ systemRuntime }, { openStore }] = await Promise.all([
      import("./core/runtime/system.ts"),
      import("./drivers/mod.ts"),
    ]);
    return openStore({ config, runtime: systemRuntime(log), readOnly: access === "read" });
  },
  openMetadata: async (config, log, access) => {
    const [{ systemRuntime }, { openMetadata }] = await Promise.all([
      import("./core/runtime/system.ts"),
      import("./drivers/mod.ts"),
    ]);
    return openMetadata({ config, runtime: systemRuntime(log), readOnly: access === "read" });
  },
  openData: async (config, log, exclusive) => {
    const [{ systemRuntime }, { openData }] = await Promise.all([
      import("./core/runtime/system.ts"),
      import("./drivers/mod.ts"),
    ]);
    const runtime = systemRuntime(log);
    return { runtime, ...await openData({ config, runtime, readOnly: !exclusive }) };
  },
};

/** Runs this process's command line to its end; `commit` is what a binary was built from. */
export async function main(commit?: string): Promise<never> {
  Deno.exit(await runCli(Deno.args, Deno.env.toObject(), { ...wiring, commit }));
}

if (import.meta.main) await main();
