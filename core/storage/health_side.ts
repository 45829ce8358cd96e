/**
 * The health of one side of a store, its writes or its reads, by what calls came to. Time is passed
 * in; core/storage/health.ts asks at its ticks.
 *
 * | state | event | next |
 * |---|---|---|
 * | healthy, degraded | asked, and without an answer for `latencyCritMs` | unavailable |
 * | healthy, degraded | nothing but refusals (throttling, too) for half a window | unavailable |
 * | healthy, degraded | error rate or mean latency critical | unavailable |
 * | healthy | error rate (throttling counts) or mean latency at the warning | degraded |
 * | unavailable | two good probes in a row (more after a relapse) | degraded, the past forgotten |
 * | degraded | clearly below the warnings for a while, and calls are answered | healthy |
 *
 * Rates and means count from ten calls on: a few bad ones of an idle broker prove nothing. What
 * they may mean, a probe finds out. They count first tries: how often we repeat a call says nothing
 * about the store.
 */
import type { CallEnd } from "./store_figures.ts";
import { SlidingWindow } from "./sliding_window.ts";

export type HealthState = "healthy" | "degraded" | "unavailable";

export interface HealthSettings {
  readonly windowMs: number;
  readonly latencyWarnMs: number;
  readonly latencyCritMs: number;
  /** Shares, 0 to 1. */
  readonly errorRateWarn: number;
  readonly errorRateCrit: number;
}

const CALLS_MIN = 10;
/** Good probes in a row that end an outage; twice as many at each relapse within a window. */
const PROBES_GOOD = 2;
const PROBES_GOOD_MAX = 16;
/** Back to healthy below this share of the warnings, for this share of the window. */
const CLEAN_SHARE = 0.8;
const HOLD_SHARE = 1 / 6;

export class SideHealth {
  state: HealthState = "healthy";
  /** Why it is what it is: one clause, empty while healthy. */
  reason = "";
  readonly window: SlidingWindow;
  readonly #holdMs: number;
  #answeredMs = -Infinity;
  #okMs = -Infinity;
  /** Start of the first call that failed since the last answer; undefined: none did. */
  #troubleMs: number | undefined;
  /** The same since the last call that ended well, throttled ones included. */
  #refusedMs: number | undefined;
  #goodProbes = 0;
  #goodProbesWanted = PROBES_GOOD;
  /** Since when nothing is wrong any more. */
  #cleanMs: number | undefined;
  /** Calls from before it belong to an outage that is over. */
  #forgottenMs = -Infinity;
  #lostMs = 0;
  #recoveredMs = -Infinity;

  constructor(readonly settings: HealthSettings) {
    this.window = new SlidingWindow(settings.windowMs);
    this.#holdMs = settings.windowMs * HOLD_SHARE;
  }

  ended(
    nowMs: number,
    startedMs: number,
    tookMs: number,
    allowanceMs: number,
    how: CallEnd,
    again: boolean,
  ): void {
    if (how === "aborted") return;
    const since = Math.max(startedMs, this.#answeredMs);
    if (how === "ok") {
      this.#okMs = nowMs;
      this.#refusedMs = undefined;
    } else this.#refusedMs ??= since;
    if (how === "ok" || how === "throttled") {
      this.#answeredMs = nowMs;
      this.#troubleMs = undefined;
    } else this.#troubleMs ??= since;
    // One call that is tried twenty times in a short outage is one failure, not twenty.
    if (again || this.state === "unavailable" || startedMs < this.#forgottenMs) return;
    const kind = how === "ok" || how === "throttled" ? how : "failed";
    this.window.add(nowMs, tookMs, Math.max(0, tookMs - allowanceMs), kind);
  }

  /** What a probe came to, which has gone through `ended` like every call. */
  probed(nowMs: number, good: boolean): void {
    this.#goodProbes = good ? this.#goodProbes + 1 : 0;
    if (this.state !== "unavailable" || this.#goodProbes < this.#goodProbesWanted) return;
    this.state = "degraded";
    this.#recoveredMs = nowMs;
    this.reason = `answers again after ${seconds(nowMs - this.#lostMs)} s`;
    this.#forgottenMs = nowMs;
    this.#cleanMs = nowMs;
    this.#troubleMs = this.#refusedMs = undefined;
    this.window.clear();
  }

  /** Takes the state of now. `oldestDueMs`: since when an answer is owed; Infinity: none is. */
  judge(nowMs: number, oldestDueMs: number): void {
    this.window.moveTo(nowMs);
    if (this.state === "unavailable") return;
    const critical = this.#critical(nowMs, oldestDueMs);
    if (critical !== undefined) {
      this.#lose(nowMs, critical);
      return;
    }
    const warning = this.#warning(1);
    if (warning !== undefined && this.state === "healthy") {
      this.state = "degraded";
      this.reason = warning;
    }
    if (this.state === "healthy") return;
    const clean = this.#warning(CLEAN_SHARE) === undefined && !this.uneasy(nowMs, oldestDueMs);
    if (!clean) this.#cleanMs = undefined;
    else this.#cleanMs ??= nowMs;
    if (this.#cleanMs === undefined || nowMs - this.#cleanMs < this.#holdMs) return;
    if (this.#okMs <= this.#cleanMs) return;
    this.state = "healthy";
    this.reason = "";
    this.#cleanMs = undefined;
  }

  /** Whether calls failed or wait for long, with none answered well since. */
  uneasy(nowMs: number, oldestDueMs: number): boolean {
    const limitMs = this.settings.latencyCritMs / 2;
    return this.#silenceMs(nowMs, oldestDueMs) >= limitMs ||
      nowMs - (this.#refusedMs ?? nowMs) >= limitMs;
  }

  /** Whether something failed of late, so that it must be looked at again. */
  get troubled(): boolean {
    return this.#refusedMs !== undefined;
  }

  /** Whether it is time to ask the store, because no client's call tells how it is. */
  wantsProbe(nowMs: number, oldestDueMs: number): boolean {
    if (this.state === "unavailable") return true;
    if (this.uneasy(nowMs, oldestDueMs)) return true;
    return this.state === "degraded" && nowMs - this.#okMs >= this.#holdMs / 2;
  }

  #lose(nowMs: number, reason: string): void {
    const relapse = nowMs - this.#recoveredMs < this.settings.windowMs;
    this.state = "unavailable";
    this.reason = reason;
    this.#goodProbes = 0;
    this.#goodProbesWanted = relapse
      ? Math.min(PROBES_GOOD_MAX, this.#goodProbesWanted * 2)
      : PROBES_GOOD;
    this.#lostMs = nowMs;
  }

  /** How long the store has owed an answer, with none given in the meantime. */
  #silenceMs(nowMs: number, oldestDueMs: number): number {
    const owedMs = Math.min(this.#troubleMs ?? Infinity, Math.max(oldestDueMs, this.#answeredMs));
    return Math.max(0, nowMs - owedMs);
  }

  #critical(nowMs: number, oldestDueMs: number): string | undefined {
    const { latencyCritMs, errorRateCrit, windowMs } = this.settings;
    const silenceMs = this.#silenceMs(nowMs, oldestDueMs);
    if (silenceMs >= latencyCritMs) return `no answer for ${seconds(silenceMs)} s`;
    const refusedMs = nowMs - (this.#refusedMs ?? nowMs);
    if (refusedMs >= windowMs / 2) return `every call has failed for ${seconds(refusedMs)} s`;
    return this.#slow(latencyCritMs) ??
      this.#failing(this.window.failed, errorRateCrit, "failed");
  }

  #warning(share: number): string | undefined {
    const { latencyWarnMs, errorRateWarn } = this.settings;
    const { failed, throttled } = this.window;
    return this.#slow(latencyWarnMs * share) ??
      this.#failing(failed + throttled, errorRateWarn * share, "failed or were throttled");
  }

  #slow(limitMs: number): string | undefined {
    const { answered, waitMs } = this.window;
    if (answered < CALLS_MIN || waitMs < limitMs) return undefined;
    return `calls took ${Math.round(waitMs)} ms on average, transfer not counted; ` +
      `the limit is ${Math.round(limitMs)}`;
  }

  #failing(count: number, limit: number, what: string): string | undefined {
    const { calls } = this.window;
    if (calls < CALLS_MIN || count === 0 || count < calls * limit) return undefined;
    const percent = (share: number) => `${Math.round(share * 100)} %`;
    return `${count} of ${calls} calls ${what} (${percent(count / calls)}; ` +
      `the limit is ${percent(limit)})`;
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
