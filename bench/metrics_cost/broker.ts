/** A broker in this process, on memory, with its metrics plugin. */
import { createBroker } from "../../core/broker.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import type { HttpRequest, HttpRoute } from "../../core/plugin/plugin.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { plugin } from "../../plugins/metrics/plugin.ts";
import { LineNetwork } from "./line.ts";

/** What the plugin does by itself, and how often. */
interface Task {
  readonly run: () => void;
  readonly everyMs: number;
}

export interface MeasuredBroker {
  readonly network: LineNetwork;
  /** Answers with an error code in them, so far. */
  errors(): number;
  readonly tasks: readonly Task[];
  /** The size of what a scrape gets. */
  scrape(): Promise<number>;
  stop(): Promise<void>;
}

export async function measuredBroker(): Promise<MeasuredBroker> {
  const log = systemLog("error", false);
  const network = new LineNetwork();
  const runtime = { ...systemRuntime(log), network };
  const config = defaultConfig({
    brokerAddr: "127.0.0.1:9092",
    storage: "memory",
    metadata: "memory",
    // nothing is rewritten while requests are measured
    walBytes: 8 * 2 ** 30,
  });
  const broker = await createBroker({
    config,
    runtime,
    store: memoryStore(new MemoryObjects(), runtime),
    metadata: new MemoryMetadata(runtime).connect(),
    onFatal: (error) => {
      throw error;
    },
  });
  const view = broker.view();
  let routes: readonly HttpRoute[] = [];
  const settings = { address: "", topicsMax: 200, groupsMax: 200, prices: null, storage: "memory" };
  const [running, tasks] = await tasksOf(() =>
    plugin.start(view, settings, {
      log,
      signal: new AbortController().signal,
      plugins: () => [],
      serve: (_, given) => {
        routes = given;
        return Promise.resolve({ host: "", port: 0 });
      },
    })
  );
  return {
    network,
    tasks,
    errors: () => view.figures.apis.reduce((sum, api) => sum + api.errorResponses, 0),
    scrape: async () => {
      const response = await routes[0]!.handle({} as HttpRequest);
      return (await response.arrayBuffer()).byteLength;
    },
    stop: async () => {
      await running.stop();
      await broker.stop();
    },
  };
}

/** Keeps the timers that `start` sets, to be run when their time is measured. */
async function tasksOf<T>(start: () => Promise<T>): Promise<[T, readonly Task[]]> {
  const tasks: Task[] = [];
  const { setInterval } = globalThis;
  globalThis.setInterval = ((run: () => void, everyMs: number) => {
    tasks.push({ run, everyMs });
    return 0;
  }) as unknown as typeof setInterval;
  try {
    return [await start(), tasks];
  } finally {
    globalThis.setInterval = setInterval;
  }
}
