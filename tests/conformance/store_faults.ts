/**
 * What every ObjectStore must do when its way to the data is bad. A driver's test hands in what can
 * happen to it; what cannot, it names in `skip`, with the reason.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Runtime } from "../../core/runtime/mod.ts";
import {
  type ObjectStore,
  StoreError,
  type StoreOutcome,
} from "../../core/storage/object_store.ts";
import { persist } from "../../core/storage/retry.ts";

/** Begins a fault, which lasts until what it returns is called. */
export type Strike = () => () => void;

export interface StoreFaults {
  /** Every call is answered that it comes too soon (503 SlowDown). */
  readonly "slow-down"?: Strike;
  /** No call is answered. */
  readonly "no-answer"?: Strike;
  /** Writes take effect, and their answers are lost. */
  readonly "answer-lost"?: Strike;
  /** The driver's clock is an hour behind the store's, or before it. */
  readonly "skewed-clock"?: (offMs: number) => () => void;
}

export interface FaultContext {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly prefix: string;
  readonly faults: StoreFaults;
  /** What a call that is not answered may take. */
  readonly timeoutMs: number;
}

export interface FaultCase {
  readonly name: keyof StoreFaults;
  readonly promise: string;
  run(context: FaultContext): Promise<void>;
}

/** Why a store on a disk of this machine suffers none of it. */
export const NO_NETWORK: Readonly<Record<keyof StoreFaults, string>> = {
  "slow-down": "a disk is slow, and asks for nothing",
  "no-answer": "a call of the file system cannot be given up; BoundedStore stops waiting for it",
  "answer-lost": "nothing lies between; a crash in the midst is a test of the driver's own",
  "skewed-clock": "it signs nothing",
};

/** For a loaded machine, on top of what a call may take. */
const SLACK_MS = 2_500;
const SLOW_MS = 300;
/** Back-off of 20, 40, 80 … ms. */
const ATTEMPTS_MAX = 8;
const HOUR_MS = 3_600_000;

export const FAULT_CASES: readonly FaultCase[] = [
  {
    name: "slow-down",
    promise: "A store that asks for less is told apart from a failing one, and asked ever less.",
    run: async (context) => {
      const { store, prefix, runtime } = context;
      await allFail(context, strike(context, "slow-down"), "throttled");
      const lift = strike(context, "slow-down")();
      let attempts = 0;
      const signal = new AbortController().signal;
      const done = persist({ runtime, signal }, (attempt) => {
        attempts++;
        return store.putIfAbsent(`${prefix}slot`, body(1), { attempt });
      });
      await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      assert(attempts > 1 && attempts <= ATTEMPTS_MAX, `${attempts} attempts in ${SLOW_MS} ms`);
      lift();
      assertEquals(await done, "created");
    },
  },
  {
    name: "no-answer",
    promise: "A call that is not answered ends in time, with an open result.",
    run: async (context) => {
      const begun = performance.now();
      await allFail(context, strike(context, "no-answer"), "retry");
      const took = performance.now() - begun;
      assert(took < context.timeoutMs + SLACK_MS, `it took ${took} ms`);
    },
  },
  {
    name: "answer-lost",
    promise: "A create whose answer is lost is no success and no rival's: reading back tells.",
    run: async (context) => {
      const { store, prefix } = context;
      const key = `${prefix}slot`;
      const lift = strike(context, "answer-lost")();
      const error = await assertRejects(() => store.putIfAbsent(key, body(1)), StoreError);
      lift();
      assertEquals(error.outcome, "retry");
      assertEquals(await store.putIfAbsent(key, body(2)), "exists");
      assertEquals(await store.get(key, undefined), body(1)[0]);
    },
  },
  {
    name: "skewed-clock",
    promise: "A clock that is wrong by an hour, and then is set, fails no call.",
    run: async ({ store, prefix, faults }) => {
      for (const offMs of [-HOUR_MS, HOUR_MS]) {
        const set = faults["skewed-clock"]!(offMs);
        try {
          await store.put(`${prefix}there`, body(1));
          for (const call of Object.values(calls(store, prefix))) await call();
        } finally {
          set();
        }
        for (const call of Object.values(calls(store, prefix))) await call();
      }
    },
  },
];

function strike({ faults }: FaultContext, name: Exclude<keyof StoreFaults, "skewed-clock">) {
  return faults[name]!;
}

/** Every kind of call, on the object "there". */
function calls(store: ObjectStore, prefix: string): Record<string, () => Promise<unknown>> {
  const there = `${prefix}there`;
  const { getInto } = store;
  return {
    create: () => store.putIfAbsent(`${prefix}new`, body(1)),
    write: () => store.put(there, body(1)),
    // Nobody can say how long it takes to read what has no known length.
    read: () => store.get(there, { start: 0, end: 100 }),
    "read of a range": () => store.get(there, { start: 2, end: 5 }),
    ...(getInto === undefined
      ? {}
      : { "read into buffers": () => getInto.call(store, there, 0, body(0)) }),
    listing: () => Array.fromAsync(store.list(prefix, undefined)),
    "delete of one": () => store.delete([`${prefix}gone`]),
    "delete of some": () => store.delete([`${prefix}gone`, `${prefix}gone too`]),
  };
}

/** Every kind of call fails so while the fault lasts, all at once, and succeeds afterwards. */
async function allFail(
  { store, prefix }: FaultContext,
  fault: Strike,
  outcome: StoreOutcome,
): Promise<void> {
  await store.put(`${prefix}there`, body(1));
  const lift = fault();
  const found = await Promise.all(
    Object.entries(calls(store, prefix)).map(async ([name, call]) => {
      const error = await assertRejects(call, StoreError, undefined, name);
      assert(!error.message.includes("\n"), error.message);
      return [name, error.outcome];
    }),
  );
  lift();
  assertEquals(found, Object.keys(calls(store, prefix)).map((name) => [name, outcome]));
  for (const call of Object.values(calls(store, prefix))) await call();
}

function body(fill: number): Uint8Array[] {
  return [new Uint8Array(10).fill(fill)];
}
