/** The front door: hands the command line to a command, and drivers to core. */
import type { BrokerOptions } from "./core/broker.ts";
import type { Log, Runtime } from "./core/runtime/mod.ts";
import { type ProcessBroker, type ProcessBrokers, runCli, type Wiring } from "./plugins/cli/mod.ts";
import manifest from "./deno.json" with { type: "json" };

type Config = BrokerOptions["config"];

/** What brokers work on. */
interface Drivers extends Pick<BrokerOptions, "metadata" | "store" | "backups"> {
  close(): Promise<void>;
}

async function openDrivers(config: Config, runtime: Runtime): Promise<Drivers> {
  const { openMetadata, openSnapshotBucket, openStore } = await import("./drivers/mod.ts");
  const opened = new AsyncDisposableStack();
  try {
    const backups = await openSnapshotBucket({ config, runtime });
    opened.defer(() => backups?.store.close());
    // before the store: it locks the data directory against a second broker
    const metadata = await openMetadata({ config, runtime });
    opened.defer(() => metadata.close());
    const store = await openStore({ config, runtime });
    opened.defer(() => store.close());
    return { metadata, store, backups, close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** A broker with its plugins on drivers that end with it. */
async function startBroker(
  config: Config,
  log: Log,
  open: (config: Config, runtime: Runtime) => Promise<Drivers>,
): Promise<ProcessBroker> {
  const [core, { systemRuntime }, { openPlugins }] = await Promise.all([
    import("./core/broker.ts"),
    import("./core/runtime/system.ts"),
    import("./plugins/mod.ts"),
  ]);
  const runtime = systemRuntime(log);
  const failed = Promise.withResolvers<unknown>();
  const plugins = await openPlugins({ config, runtime });
  let drivers: Drivers | undefined;
  try {
    drivers = await open(config, runtime);
    const { close: _, ...stores } = drivers;
    const { version } = manifest;
    const onFatal = failed.resolve;
    const broker = await core.createBroker({ config, runtime, ...stores, version, onFatal });
    const view = broker.view();
    // not awaited: clients are served meanwhile, and faults of plugins are theirs alone
    void plugins.start(view);
    const ended = async (ending: Promise<void>) => {
      await ending;
      await drivers?.close();
      await plugins.stop();
    };
    return {
      host: broker.host,
      port: broker.port,
      failed: failed.promise,
      leads: () => view.figures.leadership().led,
      controls: () => view.cluster().controllerId === config.brokerId,
      drain: () => broker.drain(),
      stop: () => ended(broker.stop()),
      kill: () => ended(broker.kill()),
    };
  } catch (error) {
    await drivers?.close();
    await plugins.stop();
    throw error;
  }
}

async function openBrokers(config: Config, log: Log): Promise<ProcessBrokers> {
  const [{ systemRuntime }, { shareMetadata }] = await Promise.all([
    import("./core/runtime/system.ts"),
    import("./drivers/mod.ts"),
  ]);
  const runtime = systemRuntime(log);
  const { store, backups, ...drivers } = await openDrivers(config, runtime);
  const shared = await shareMetadata({ store: drivers.metadata, timers: runtime.timers });
  return {
    start: async (config, log) => {
      const metadata = shared.connect();
      const close = () => metadata.close();
      const open = () => Promise.resolve({ metadata, store, backups, close });
      const broker = await startBroker(config, log, open);
      const kill = () => {
        metadata.abandon();
        return broker.kill();
      };
      return { ...broker, kill };
    },
    expireKilled: () => shared.expire(),
    close: async () => {
      await backups?.store.close();
      await store.close();
      await shared.close();
    },
  };
}

// Loaded when used: help and the client commands need neither a broker nor drivers.
const wiring: Omit<Wiring, "commit"> = {
  version: manifest.version,
  startBroker: (config, log) => startBroker(config, log, openDrivers),
  openBrokers,
  openStore: async (config, log, access) => {
    const [{ systemRuntime }, { openStore }] = await Promise.all([
      import("./core/runtime/system.ts"),
      import("./drivers/mod.ts"),
    ]);
    return openStore({ config, runtime: systemRuntime(log), readOnly: access === "read" });
  },
  openSnapshotBucket: async (config, log) => {
    const [{ systemRuntime }, { openSnapshotBucket }] = await Promise.all([
      import("./core/runtime/system.ts"),
      import("./drivers/mod.ts"),
    ]);
    return await openSnapshotBucket({ config, runtime: systemRuntime(log) });
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
