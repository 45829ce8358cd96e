import type { Runtime } from "../../runtime/runtime.ts";
import { sleep } from "../../runtime/sleep.ts";
import { type ObjectStore, StoreError } from "../object_store.ts";
import { backoffMs } from "../retry.ts";
import { pattern } from "./check.ts";

/** Requests of one figure at most, so that a fast store is not asked for ever more. */
const REQUESTS_MAX = 2_000;
/** Failed requests after which a figure is given up. */
const FAILURES_MAX = 20;

/** Requests that each worker makes, however long they take. */
const OWN_MIN = 3;

/** Latencies of one kind of request, in milliseconds; requests that failed are not among them. */
export interface Figure {
  readonly operation: "create" | "get";
  readonly bytes: number;
  /** Requests on their way at once. */
  readonly parallel: number;
  readonly requests: number;
  /** Throttled or failed in passing. */
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of all requests together. */
  readonly bytesPerSecond: number;
}

export interface FigureOptions {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** Ends in "/"; objects are created below it, and stay. */
  readonly prefix: string;
  /** Creates add theirs, reads take them in turn. */
  readonly keys: string[];
  readonly operation: Figure["operation"];
  readonly bytes: number;
  readonly parallel: number;
  /** Requests begin within this time; some of each worker always. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
}

/** Measures conditional creates of new keys, or whole reads. Undefined when nothing succeeded. */
export async function measure(o: FigureOptions): Promise<Figure | undefined> {
  const { clock, timers } = o.runtime;
  const body = [pattern(o.bytes, 11)];
  const tookMs: number[] = [];
  let [next, failures] = [0, 0];
  const startedMs = clock.monotonicMs();
  const request = async (number: number) => {
    if (o.operation === "get") {
      return void await o.store.get(o.keys[number % o.keys.length]!, undefined, o);
    }
    const key = `${o.prefix}${o.bytes}/${o.parallel}-${number}`;
    await o.store.putIfAbsent(key, body, o);
    o.keys.push(key);
  };
  const worker = async () => {
    for (let own = 0; own < OWN_MIN || clock.monotonicMs() - startedMs < o.durationMs; own++) {
      if (failures > FAILURES_MAX || next >= REQUESTS_MAX || o.signal.aborted) return;
      const beganMs = clock.monotonicMs();
      try {
        await request(next++);
        tookMs.push(clock.monotonicMs() - beganMs);
      } catch (error) {
        if (!(error instanceof StoreError) || error.outcome === "fatal") throw error;
        await sleep(timers, backoffMs(o.runtime, ++failures), o.signal);
      }
    }
  };
  await Promise.all(Array.from({ length: o.parallel }, worker));
  o.signal.throwIfAborted();
  if (tookMs.length === 0) return undefined;
  const elapsedMs = clock.monotonicMs() - startedMs;
  return { ...figure(o, tookMs, elapsedMs), failures };
}

function figure(o: FigureOptions, tookMs: number[], elapsedMs: number): Omit<Figure, "failures"> {
  tookMs.sort((a, b) => a - b);
  const at = (part: number) =>
    tookMs[Math.min(tookMs.length - 1, Math.floor(part * tookMs.length))]!;
  return {
    operation: o.operation,
    bytes: o.bytes,
    parallel: o.parallel,
    requests: tookMs.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: tookMs.at(-1)!,
    bytesPerSecond: tookMs.length * o.bytes * 1000 / elapsedMs,
  };
}
