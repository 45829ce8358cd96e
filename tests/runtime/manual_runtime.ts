/**
 * A Runtime whose time moves only when a test says so: deterministic unit tests of rooms with
 * timers. Random numbers come from the seed; the log is kept; the network is the test's.
 */
import { setImmediate } from "node:timers";
import type { LogFields, Network, Runtime, Timer } from "../../core/runtime/mod.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export interface ManualRuntime extends Runtime {
  /** Lets `ms` pass: timers run in order of time, promises settle after each. */
  advance(ms: number): Promise<void>;
  /** Lets promises and `soon` callbacks settle without time passing. */
  settle(): Promise<void>;
  /** Moves the wall clock alone, as an administrator might. */
  jumpWall(ms: number): void;
  /** Timers that are set. */
  readonly pendingTimers: number;
  readonly lines: readonly LogLine[];
  /** The messages logged so far at one level. */
  messages(level: LogLine["level"]): string[];
}

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const NO_NETWORK: Network = {
  listen: () => Promise.reject(new Error("this manual runtime has no network")),
};

/** Lets all promises and `soon` callbacks that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Starts at monotonic 0 and wall time 2025-01-01. */
export function manualRuntime(seed = 1, network = NO_NETWORK): ManualRuntime {
  let nowMs = 0;
  let wallOffsetMs = Date.UTC(2025, 0, 1);
  let order = 0;
  const timers = new Set<Pending>();
  const lines: LogLine[] = [];
  const uint32 = mulberry32(seed);
  const note = (level: LogLine["level"]) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields });
  };
  const next = (untilMs: number): Pending | undefined => {
    let first: Pending | undefined;
    for (const timer of timers) {
      if (timer.atMs > untilMs) continue;
      const sooner = first === undefined || timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order);
      if (sooner) first = timer;
    }
    return first;
  };
  return {
    clock: { monotonicMs: () => nowMs, wallMs: () => nowMs + wallOffsetMs },
    timers: {
      after(delayMs, run): Timer {
        const timer = { atMs: nowMs + Math.max(delayMs, 0), order: order++, run };
        timers.add(timer);
        return { cancel: () => void timers.delete(timer) };
      },
      soon: (run) => void setImmediate(run),
    },
    random: {
      uint32,
      fill: (bytes) => {
        for (let at = 0; at < bytes.length; at++) bytes[at] = uint32() & 0xff;
      },
    },
    network,
    log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
    settle,
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.run();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
    jumpWall: (ms) => void (wallOffsetMs += ms),
    get pendingTimers() {
      return timers.size;
    },
    lines,
    messages: (level) => lines.filter((line) => line.level === level).map((line) => line.message),
  };
}

/** A small seeded generator of numbers in [0, 2^32). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
