/**
 * How the object store is doing, by every call that the broker makes on it. While it is unavailable
 * produces are refused, and reads that need it: at once, with a retriable code, instead of at the
 * end of each client's patience. Writes and reads are judged apart (a full store still serves
 * reads); the state that people see is the worse one.
 *
 * Costs nothing while nobody uses the store: time is looked at only while calls are in flight or
 * something is wrong. So an idle broker learns of an outage with its first call, and a probe asks
 * the store only while calls fail, wait, or are refused; recovery never waits for a client.
 */
import type { Runtime, Timer } from "../runtime/runtime.ts";
import { probeStore } from "./health_probe.ts";
import { type HealthSettings, type HealthState, SideHealth } from "./health_side.ts";
import type { CallObserver, ObservedStore } from "./observed_store.ts";
import type { CallEnd, StoreOperation } from "./store_figures.ts";

export type { HealthSettings, HealthState } from "./health_side.ts";

export interface HealthReport {
  readonly state: HealthState;
  /** 0 healthy, 1 degraded, 2 unavailable: `kafscale_s3_health_state`. */
  readonly value: 0 | 1 | 2;
  /** Wall time of the last change, or of the start. */
  readonly sinceMs: number;
  /** How long ago that was. */
  readonly forMs: number;
  /** One clause; empty while healthy. */
  readonly reason: string;
  readonly writes: HealthState;
  readonly reads: HealthState;
  /** Of the calls in the window: mean time of those that ended well, 0 without any. */
  readonly latencyMsAvg: number;
  /** Share of calls in the window that failed at the first try, throttled ones included: 0 to 1. */
  readonly errorRate: number;
  /** Changes since the start, by the state that was entered. */
  readonly entered: Readonly<Record<HealthState, number>>;
  /** Probes made since the start. */
  readonly probes: number;
}

/** What the rooms that use the store ask before they do. */
export interface StoreGate {
  readonly refusesWrites: boolean;
  readonly refusesReads: boolean;
  /** Calls `changed` after either of these has changed; returns "stop". */
  onChange(changed: () => void): () => void;
}

export interface StoreHealthOptions {
  readonly runtime: Runtime;
  readonly store: ObservedStore;
  /** Where probes write a few bytes; gone again when all is well. */
  readonly probeKey: string;
  /** Probes only read. */
  readonly readOnly?: boolean;
  readonly settings: HealthSettings;
}

const VALUES = { healthy: 0, degraded: 1, unavailable: 2 } as const;
const TICK_MAX_MS = 500;
/** Pauses between probes of an unavailable store: they double, with full jitter. */
const PROBE_PAUSE_MIN_MS = 250;
const PROBE_PAUSE_MAX_MS = 2_000;

export class StoreHealth implements CallObserver, StoreGate {
  readonly #writes: SideHealth;
  readonly #reads: SideHealth;
  readonly #entered = { healthy: 0, degraded: 0, unavailable: 0 };
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #tickMs: number;
  #state: HealthState = "healthy";
  #sinceMs: number;
  #changedMs: number;
  #timer: Timer | undefined;
  #probing: Promise<void> | undefined;
  #probes = 0;
  #nextProbeMs = 0;
  #badProbes = 0;
  /** The gates as the listeners know them. */
  #told = { writes: false, reads: false };

  constructor(readonly options: StoreHealthOptions) {
    const { runtime, settings, store } = options;
    this.#writes = new SideHealth(settings);
    this.#reads = new SideHealth(settings);
    this.#tickMs = Math.min(TICK_MAX_MS, settings.latencyCritMs / 6);
    this.#sinceMs = runtime.clock.wallMs();
    this.#changedMs = runtime.clock.monotonicMs();
    store.observer = this;
  }

  get refusesWrites(): boolean {
    return this.#writes.state === "unavailable";
  }

  get refusesReads(): boolean {
    return this.#reads.state === "unavailable";
  }

  onChange(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  report(): HealthReport {
    const nowMs = this.options.runtime.clock.monotonicMs();
    const windows = [this.#writes.window, this.#reads.window];
    let calls = 0, bad = 0, answered = 0, tookMs = 0;
    for (const window of windows) {
      window.moveTo(nowMs);
      calls += window.calls;
      bad += window.failed + window.throttled;
      answered += window.answered;
      tookMs += window.tookMs;
    }
    return {
      state: this.#state,
      value: VALUES[this.#state],
      sinceMs: this.#sinceMs,
      forMs: nowMs - this.#changedMs,
      reason: this.#worse().reason,
      writes: this.#writes.state,
      reads: this.#reads.state,
      latencyMsAvg: answered === 0 ? 0 : tookMs / answered,
      errorRate: calls === 0 ? 0 : bad / calls,
      entered: { ...this.#entered },
      probes: this.#probes,
    };
  }

  began(): void {
    if (this.#timer === undefined) this.#arm(this.#tickMs);
  }

  ended(
    operation: StoreOperation,
    startedMs: number,
    tookMs: number,
    allowanceMs: number,
    how: CallEnd,
    again: boolean,
  ): void {
    // Nobody waits for a deletion, and a missing right to delete stops nobody from writing.
    if (operation === "delete") return;
    const writes = operation === "putIfAbsent" || operation === "put";
    const side = writes ? this.#writes : this.#reads;
    const nowMs = this.options.runtime.clock.monotonicMs();
    side.ended(nowMs, startedMs, tookMs, allowanceMs, how, again);
    if (how !== "ok" || side.state !== "unavailable" || this.#badProbes === 0) return;
    // A sign of life: no need to wait for the next probe's turn.
    if (this.#probing === undefined) {
      this.#nextProbeMs = nowMs;
      this.#arm(0);
    }
  }

  /** Ends probes and timers; the state stays what it is. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await this.#probing;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stop.signal.aborted) return;
    this.#timer = this.options.runtime.timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#tick();
    });
  }

  #tick(): void {
    const nowMs = this.options.runtime.clock.monotonicMs();
    const { putIfAbsent, put, get, list } = this.options.store.figures;
    const writesDueMs = Math.min(putIfAbsent.oldestDueMs, put.oldestDueMs);
    const readsDueMs = Math.min(get.oldestDueMs, list.oldestDueMs);
    this.#writes.judge(nowMs, writesDueMs);
    this.#reads.judge(nowMs, readsDueMs);
    this.#announce(nowMs);
    const wanted = this.#writes.wantsProbe(nowMs, writesDueMs) ||
      this.#reads.wantsProbe(nowMs, readsDueMs);
    if (wanted && this.#probing === undefined && nowMs >= this.#nextProbeMs) {
      this.#probing = this.#probe().finally(() => this.#probing = undefined);
    }
    const busy = putIfAbsent.inFlight + put.inFlight + get.inFlight + list.inFlight > 0;
    const restless = this.#state !== "healthy" || this.#writes.troubled || this.#reads.troubled;
    if (!busy && !restless) return;
    const untilProbeMs = wanted && this.#probing === undefined
      ? this.#nextProbeMs - nowMs
      : Infinity;
    this.#arm(Math.max(0, Math.min(this.#tickMs, untilProbeMs)));
  }

  #worse(): SideHealth {
    return VALUES[this.#reads.state] > VALUES[this.#writes.state] ? this.#reads : this.#writes;
  }

  #announce(nowMs: number): void {
    const { state, reason } = this.#worse();
    if (state !== this.#state) this.#enter(nowMs, state, reason);
    const { refusesWrites: writes, refusesReads: reads } = this;
    if (writes === this.#told.writes && reads === this.#told.reads) return;
    this.#told = { writes, reads };
    for (const changed of [...this.#listeners]) changed();
  }

  #enter(nowMs: number, state: HealthState, reason: string): void {
    const { log, clock } = this.options.runtime;
    const afterSeconds = Math.round((nowMs - this.#changedMs) / 1_000);
    const fields = { from: this.#state, afterSeconds, ...(reason === "" ? {} : { reason }) };
    this.#state = state;
    this.#sinceMs = clock.wallMs();
    this.#changedMs = nowMs;
    this.#entered[state]++;
    if (state === "healthy") {
      log.info("the object store is healthy", fields);
      this.#removeProbe();
    } else if (state === "degraded") log.warn("the object store is degraded", fields);
    else {
      this.#nextProbeMs = nowMs;
      this.#badProbes = 0;
      log.error(
        "the object store is unavailable: produces, and fetches that need it, are refused until " +
          "it answers probes",
        fields,
      );
    }
  }

  async #probe(): Promise<void> {
    const { runtime, store, probeKey, settings, readOnly } = this.options;
    this.#probes++;
    const limitMs = settings.latencyCritMs;
    const signal = this.#stop.signal;
    const { writes, reads } = await probeStore(
      runtime,
      store,
      probeKey,
      limitMs,
      signal,
      readOnly,
    );
    if (signal.aborted) return;
    const nowMs = runtime.clock.monotonicMs();
    this.#writes.probed(nowMs, writes);
    this.#reads.probed(nowMs, reads);
    if (this.#state !== "unavailable") this.#nextProbeMs = nowMs + limitMs / 2;
    else {
      this.#badProbes = writes && reads ? 0 : this.#badProbes + 1;
      const pauseMs = Math.min(
        PROBE_PAUSE_MAX_MS,
        PROBE_PAUSE_MIN_MS * 2 ** Math.min(this.#badProbes, 10),
      );
      const jitter = 0.5 + runtime.random.uint32() / 2 ** 33;
      this.#nextProbeMs = nowMs + (this.#badProbes === 0 ? PROBE_PAUSE_MIN_MS : pauseMs * jitter);
    }
    this.#announce(nowMs);
    if (this.#timer !== undefined) this.#arm(Math.min(this.#tickMs, this.#nextProbeMs - nowMs));
  }

  /** Best effort: what stays is a few bytes at a key that the next probe uses again. */
  #removeProbe(): void {
    if (this.#probes === 0 || this.options.readOnly === true) return;
    const { store, probeKey } = this.options;
    const signal = this.#stop.signal;
    store.delete([probeKey], { signal }).catch(() => {});
  }
}
