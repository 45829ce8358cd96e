import type { StoreAdvice } from "../../../core/storage/object_store.ts";

export const MEMORY_ADVICE: StoreAdvice = {
  flushIntervalMs: 0,
  parallelUploads: 4,
  commitBytes: 4 * 1024 * 1024,
  rangeBytes: 1024 * 1024,
  readAheadBytes: 4 * 1024 * 1024,
};

/**
 * What may go wrong, as chances in [0, 1] per call. The object is read at every call, so that a
 * simulation can change the weather; random numbers and timers come from the store's Runtime.
 */
export interface MemoryFaults {
  /** Every call takes a uniform time in [latencyMinMs, latencyMaxMs]. */
  latencyMinMs: number;
  latencyMaxMs: number;
  /** A call takes `slowMs` more. */
  slowChance: number;
  slowMs: number;
  /** Fails with "retry", without effect. */
  failBeforeChance: number;
  /** Fails with "throttled", without effect. */
  throttleChance: number;
  /** A write takes effect and then fails with "retry": the reply was lost. */
  failAfterChance: number;
  /** A write fails with "retry" and takes effect up to `lateMs` after it was reported. */
  lateChance: number;
  /** A write that succeeded is applied once more up to `lateMs` later (an older attempt). */
  duplicateChance: number;
  lateMs: number;
  /** A call is never answered, and has its effect in every other case: a dead connection. */
  lostChance: number;
  /** Until this time of the store's clock all calls fail with "retry", without effect. */
  refusedUntilMs: number;
  /** Until this time nothing has an effect and nothing is answered: the store is paused. */
  pausedUntilMs: number;
}

/** No faults and no latency; spread it and change what a test needs. */
export const CALM: MemoryFaults = {
  latencyMinMs: 0,
  latencyMaxMs: 0,
  slowChance: 0,
  slowMs: 0,
  failBeforeChance: 0,
  throttleChance: 0,
  failAfterChance: 0,
  lateChance: 0,
  duplicateChance: 0,
  lateMs: 0,
  lostChance: 0,
  refusedUntilMs: 0,
  pausedUntilMs: 0,
};
