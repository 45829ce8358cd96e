/** All plugins of one broker: opened before it, started when it serves, stopped after it. */
import type { Config } from "../../core/config/mod.ts";
import type { BrokerView } from "../../core/plugin/mod.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import { json, problem } from "../http/mod.ts";
import type { Chosen } from "./chosen.ts";
import { catchFaults } from "./faults.ts";
import { HttpServers } from "./http_servers.ts";
import { watchLoop } from "./loop_watch.ts";
import { Supervised } from "./supervised.ts";

/** Those that serve at KAFSCALE_METRICS_ADDR. */
const SERVED: readonly string[] = ["metrics", "ops"];

export class PluginHost {
  readonly #servers: HttpServers;
  readonly #plugins: Supervised[] = [];
  readonly #ending: (() => void)[] = [];
  #started: Promise<void> | undefined;
  #serving = false;

  constructor(
    readonly config: Config,
    readonly runtime: Runtime,
    readonly chosen: readonly Chosen[],
  ) {
    this.#servers = new HttpServers(runtime.log);
  }

  /**
   * Listens where metrics and operations are served, so that the address is known to be free, and
   * a supervisor of processes can see the broker live while it recovers.
   */
  listen(): void {
    const { metricsAddr } = this.config;
    const named = this.chosen.map(({ name }) => name).filter((name) => SERVED.includes(name));
    if (metricsAddr === null || named.length === 0) return;
    const otherwise = (method: string, path: string) =>
      this.#serving ? undefined : starting(method, path, named.includes("ops"));
    try {
      const { host, port } = this.#servers.open(metricsAddr, otherwise);
      this.runtime.log.info(`http listening on ${host}:${port}`, { plugins: named });
    } catch (error) {
      throw listenError(error, metricsAddr);
    }
  }

  /** Starts all plugins; resolves after the first attempt of each. Never rejects. */
  start(view: BrokerView): Promise<void> {
    return this.#started ??= this.#start(view);
  }

  async #start(view: BrokerView): Promise<void> {
    const { log } = this.runtime;
    const scopes = () => this.#plugins.map(({ scope }) => scope);
    this.#ending.push(catchFaults(scopes), watchLoop(view, log, scopes));
    await Promise.all(this.chosen.map(async ({ name, roots, load }) => {
      let loaded: Awaited<ReturnType<Chosen["load"]>>;
      try {
        loaded = await load();
      } catch (error) {
        return log.error("a plugin cannot be loaded, and does not run", { plugin: name, error });
      }
      const plugin = new Supervised({
        ...loaded,
        roots,
        runtime: this.runtime,
        // deno-lint-ignore require-await -- what it throws is to be a rejection
        serve: async (address, routes, call) => this.#servers.serve(name, address, routes, call),
        unserve: (comesBack) => this.#servers.unserve(name, comesBack),
        plugins: () => this.#plugins.map(({ status }) => status),
      });
      this.#plugins.push(plugin);
      await plugin.start(view);
    }));
    this.#serving = true;
    log.info("plugins started", { plugins: this.chosen.map(({ name }) => name) });
  }

  /** Stops what runs, and the HTTP servers. Idempotent. */
  async stop(): Promise<void> {
    await this.#started;
    await Promise.all(this.#plugins.map((plugin) => plugin.stop()));
    await this.#servers.close();
    for (const end of this.#ending.splice(0)) end();
  }
}

/** Answers while the broker recovers and no plugin runs yet. */
function starting(method: string, path: string, ops: boolean): Response {
  const alive = ops && method === "GET" && (path === "/livez" || path === "/healthz");
  return alive
    ? json({ status: "starting" })
    : problem(503, "the broker is starting; try again in a moment", { "retry-after": "1" });
}

function listenError(error: unknown, address: string): unknown {
  const choose = "choose another address with KAFSCALE_METRICS_ADDR, or set it to off";
  if (error instanceof Deno.errors.AddrInUse) {
    return new Error(`${address} is in use by another program; stop that one, or ${choose}`);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new Error(`${address} is no address of this machine; ${choose}`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Error(`this user may not listen on ${address}; ${choose}`);
  }
  return error;
}
