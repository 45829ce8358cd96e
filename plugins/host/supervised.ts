/**
 * One plugin under supervision.
 *
 * | state | event | next |
 * |---|---|---|
 * | idle, waiting | start, the pause is over | starting |
 * | starting | `start` resolved | running |
 * | starting, running | any fault | waiting: stopped, then a pause that doubles up to a minute |
 * | any | stop | ended |
 */
import type {
  BrokerView,
  HttpRoute,
  Plugin,
  PluginStatus,
  RunningPlugin,
} from "../../core/plugin/mod.ts";
import type { Log, Runtime, Timer } from "../../core/runtime/mod.ts";
import { problem } from "../http/mod.ts";
import { viewFor } from "./plugin_view.ts";
import { outsideOfScopes, Scope } from "./scope.ts";

const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 5_000;
const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 60_000;
/** Having run for this long, a plugin's past faults are forgotten. */
const HEALTHY_MS = 60_000;

export interface Supervision {
  readonly runtime: Runtime;
  readonly plugin: Plugin;
  /** As the plugin's schema read them. */
  readonly settings: unknown;
  /** URLs that the plugin's own modules start with. */
  readonly roots: readonly string[];
  /** Serves routes of this plugin, whose handlers go through `call`. */
  readonly serve: (
    address: string,
    routes: readonly HttpRoute[],
    call: (run: () => Promise<Response> | Response) => Promise<Response>,
  ) => Promise<{ host: string; port: number }>;
  readonly unserve: (comesBack: boolean) => void;
  readonly plugins: () => readonly PluginStatus[];
}

export class Supervised {
  readonly scope: Scope;
  #state: PluginStatus["state"] = "idle";
  #restarts = 0;
  #lastError: string | null = null;
  #pauseMs = PAUSE_MIN_MS;
  #startedMs = 0;
  #view: BrokerView | undefined;
  #running: RunningPlugin | undefined;
  #abort = new AbortController();
  #timer: Timer | undefined;
  /** The change of state that is under way. */
  #busy: Promise<void> = Promise.resolve();

  constructor(readonly o: Supervision) {
    const fault = (error: unknown) => outsideOfScopes(() => this.#fault(error));
    this.scope = new Scope(o.plugin.name, o.roots, fault);
  }

  get status(): PluginStatus {
    return {
      name: this.o.plugin.name,
      state: this.#state,
      restarts: this.#restarts,
      lastError: this.#lastError,
    };
  }

  /** Resolves after the first attempt, however it went. */
  start(view: BrokerView): Promise<void> {
    this.#view = viewFor(this.scope, view);
    return this.#next(() => this.#start());
  }

  /** Resolves when the plugin has ended, or its time to end is over. */
  stop(): Promise<void> {
    this.#state = "ended";
    this.#timer?.cancel();
    return this.#next(() => this.#end(false));
  }

  #next(change: () => Promise<void>): Promise<void> {
    return this.#busy = this.#busy.then(change);
  }

  async #start(): Promise<void> {
    if (this.#state === "ended") return;
    const { plugin, settings, runtime } = this.o;
    this.#state = "starting";
    this.#abort = new AbortController();
    this.#startedMs = runtime.clock.monotonicMs();
    let starting: Promise<RunningPlugin> | undefined;
    try {
      starting = this.scope.enter(() => plugin.start(this.#view!, settings, this.#host()));
      const running = await this.#within(START_LIMIT_MS, starting, "it did not start");
      if (typeof running?.stop !== "function") {
        throw new TypeError("start() must resolve to an object with a stop() method");
      }
      this.#running = running;
      if (this.#state === "starting") this.#state = "running";
    } catch (error) {
      this.scope.onFault(error);
      // should it still start, nobody waits for it any more
      starting?.then((late) => late.stop()).catch(() => {});
    }
  }

  /** Something of the plugin's threw: it is stopped, and started again later. */
  #fault(error: unknown): void {
    const { runtime, plugin } = this.o;
    const told = error instanceof Error ? error.stack ?? error.message : String(error);
    if (this.#state !== "starting" && this.#state !== "running") {
      runtime.log.warn("a plugin that is being stopped failed", {
        plugin: plugin.name,
        error: told,
      });
      return;
    }
    const ranMs = runtime.clock.monotonicMs() - this.#startedMs;
    if (ranMs >= HEALTHY_MS) this.#pauseMs = PAUSE_MIN_MS;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    this.#state = "waiting";
    this.#lastError = error instanceof Error ? error.message : String(error);
    runtime.log.error("a plugin failed; it is stopped, and started again after a pause", {
      plugin: plugin.name,
      pauseMs,
      error: told,
    });
    void this.#next(async () => {
      await this.#end(true);
      if (this.#state !== "waiting") return;
      this.#timer = runtime.timers.after(pauseMs, () => {
        this.#restarts++;
        void this.#next(() => this.#start());
      });
    });
  }

  async #end(comesBack: boolean): Promise<void> {
    const { runtime, plugin, unserve } = this.o;
    const running = this.#running;
    this.#running = undefined;
    this.#abort.abort();
    unserve(comesBack);
    if (running === undefined) return;
    try {
      const stopping = this.scope.enter(() => running.stop());
      await this.#within(STOP_LIMIT_MS, stopping, "it did not stop");
    } catch (error) {
      runtime.log.warn("a plugin could not be stopped cleanly", { plugin: plugin.name, error });
    }
  }

  /** Rejects when `wait` takes longer; whatever comes of it later is nobody's. */
  async #within<T>(limitMs: number, wait: Promise<T>, what: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = this.o.runtime.timers.after(
      limitMs,
      () => late.reject(new Error(`${what} within ${limitMs / 1_000} s`)),
    );
    try {
      return await Promise.race([wait, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #host() {
    const { signal } = this.#abort;
    const { runtime, plugin, plugins } = this.o;
    return {
      log: named(runtime.log, plugin.name),
      signal,
      plugins,
      serve: (address: string, routes: readonly HttpRoute[]) => {
        if (signal.aborted) throw new Error("this start of the plugin has ended");
        return outsideOfScopes(() => this.o.serve(address, routes, (run) => this.#call(run)));
      },
    };
  }

  /** A handler's own fault costs its request a 500, and the plugin a new start. */
  async #call(run: () => Promise<Response> | Response): Promise<Response> {
    try {
      return await this.scope.enter(run);
    } catch (error) {
      this.scope.onFault(error);
      return problem(500, `the plugin ${this.o.plugin.name} failed; the broker's log says why`);
    }
  }
}

function named(log: Log, plugin: string): Log {
  return {
    debug: (message, fields) => log.debug(message, { plugin, ...fields }),
    info: (message, fields) => log.info(message, { plugin, ...fields }),
    warn: (message, fields) => log.warn(message, { plugin, ...fields }),
    error: (message, fields) => log.error(message, { plugin, ...fields }),
  };
}
