/** What a broker knows of its calls on the object store; counters only grow. Metrics read them. */
import { invariant, LatencyHistogram } from "../runtime/mod.ts";
import { StoreError, type StoreOutcome } from "./object_store.ts";

export const STORE_OPERATIONS = ["putIfAbsent", "put", "get", "list", "delete"] as const;

export type StoreOperation = (typeof STORE_OPERATIONS)[number];

/** How a call ended. "exists" and "no such object" are answers: ok. */
export type CallEnd = "ok" | "aborted" | StoreOutcome;

/** One operation since start; `get` counts `getInto`, a listing counts once. */
export interface OperationFigures {
  readonly ok: number;
  /** Failed calls by outcome. */
  readonly throttled: number;
  readonly retry: number;
  readonly fatal: number;
  /** Given up by the caller, which is no fault of the store. */
  readonly aborted: number;
  /** Calls that were made again after a failure; they count above, too. */
  readonly retries: number;
  /** Body bytes sent or received by calls that ended well. */
  readonly bytes: number;
  /** Keys listed or deleted; a store bills about one request per thousand listed. */
  readonly keys: number;
  /** Waiting for the store now. */
  readonly inFlight: number;
  /** Of calls that ended well; a listing's longest wait for a page. */
  readonly latency: LatencyHistogram;
}

export type StoreFigures = Readonly<Record<StoreOperation, OperationFigures>>;

/** Counts one operation. A call is `enter`ed, then `leave`s, then is `end`ed once. */
export class CallMeter implements OperationFigures {
  ok = 0;
  throttled = 0;
  retry = 0;
  fatal = 0;
  aborted = 0;
  retries = 0;
  bytes = 0;
  keys = 0;
  inFlight = 0;
  readonly latency: LatencyHistogram = new LatencyHistogram();
  /** Start of each call in flight by place; Infinity where a place is free. */
  readonly #startedMs: number[] = [];
  /** When each is due to be waited for: its start, and the time that its bytes may take. */
  readonly #dueMs: number[] = [];
  readonly #free: number[] = [];

  /** A call starts to wait; returns its place. `allowanceMs`: what its bytes may take. */
  enter(nowMs: number, allowanceMs: number): number {
    const place = this.#free.pop() ?? this.#startedMs.length;
    this.#startedMs[place] = nowMs;
    this.#dueMs[place] = nowMs + allowanceMs;
    this.inFlight++;
    return place;
  }

  /** It waits no longer; returns when it started. */
  leave(place: number): number {
    const startedMs = this.#startedMs[place]!;
    invariant(startedMs !== Infinity, "a store call ended twice");
    this.#startedMs[place] = Infinity;
    this.#dueMs[place] = Infinity;
    this.#free.push(place);
    this.inFlight--;
    return startedMs;
  }

  end(how: CallEnd, tookMs: number): void {
    this[how]++;
    if (how === "ok") this.latency.observe(tookMs);
  }

  /** Since when the oldest call in flight is owed an answer; Infinity without one in flight. */
  get oldestDueMs(): number {
    if (this.inFlight === 0) return Infinity;
    let oldest = Infinity;
    for (const dueMs of this.#dueMs) if (dueMs < oldest) oldest = dueMs;
    return oldest;
  }
}

/** What a failed call was. An abort is the caller's, unless its reason is a StoreError of ours. */
export function endOf(error: unknown, signal: AbortSignal | undefined): CallEnd {
  const failure = signal?.aborted ? signal.reason : error;
  if (failure instanceof StoreError) return failure.outcome;
  return signal?.aborted ? "aborted" : "fatal";
}
