/** Conditional creates: the log's order and its fence stand on them (DESIGN 1). */
import { sleep } from "../../runtime/sleep.ts";
import { StoreError } from "../object_store.ts";
import {
  all,
  atOnce,
  check,
  checkBytes,
  checkSame,
  createPatiently,
  keysOf,
  pattern,
  readText,
  text,
} from "./check.ts";
import type { ProbeContext, StorePromise } from "./promise.ts";

const RIVALS = 50;

/** By the name that the refusal of a store without them goes by. */
export const CREATE_ONCE = "create-once";

export const CREATES: readonly StorePromise[] = [
  {
    name: CREATE_ONCE,
    promise: "A key is created once: a second conditional create is told that it exists.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const key = `${prefix}slot`;
      checkSame(await store.putIfAbsent(key, text("first")), "created", "the first create");
      checkSame(await store.putIfAbsent(key, text("second")), "exists", "the second create");
      checkSame(await readText(store, key), "first", "the object");
    },
  },
  {
    name: "one-winner",
    promise: `Of ${RIVALS} rivals that create one key at once, one wins, and all see its bytes.`,
    severity: "required",
    run: async (context) => {
      for (const [round, bytes] of [20, 20, 70_000, 300_000].entries()) {
        await race(context, `${context.prefix}${round}/slot`, bytes);
      }
    },
  },
  {
    name: "create-again",
    promise: "A deleted key can be created again.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const key = `${prefix}again`;
      await store.putIfAbsent(key, text("one"));
      await store.delete([key]);
      checkSame(await store.putIfAbsent(key, text("two")), "created", "the create afterwards");
      checkSame(await readText(store, key), "two", "the object");
    },
  },
  {
    name: "create-and-delete",
    promise: "Creates and deletes of neighbouring keys at once lose nothing.",
    severity: "required",
    run: async (context) => {
      const { store, prefix } = context;
      await all(Array.from({ length: 8 }, async (_, worker) => {
        for (let round = 0; round < 10; round++) {
          const key = `${prefix}${worker % 2}/deep/${worker}`;
          await createPatiently(context, key, text(`${round}`));
          checkSame(await readText(store, key), `${round}`, "the object");
          await store.delete([key]);
        }
      }));
      checkSame(await keysOf(store, prefix), [], "what is left");
    },
  },
  {
    name: "lost-reply",
    promise: "A create whose reply was lost is told by creating again and reading back.",
    severity: "required",
    run: async (context) => {
      const tookMs = await createMs(context);
      await atOnce(MOMENTS, 4, async (moment, round) => {
        const { key, body, first } = await abandoned(context, round, moment * tookMs);
        const again = await context.store.putIfAbsent(key, [body]);
        check(first !== "created" || again === "exists", "what was created could be created again");
        checkBytes(await context.store.get(key, undefined), body, "the object");
      });
    },
  },
  {
    name: "late-create",
    promise: "A create that was given up replaces nothing that somebody else created meanwhile.",
    severity: "required",
    run: async (context) => {
      const tookMs = await createMs(context);
      await atOnce(MOMENTS, 4, async (moment, round) => {
        const { key, body } = await abandoned(context, round, moment * tookMs);
        const rival = pattern(body.length + 1, 77);
        const outcome = await context.store.putIfAbsent(key, [rival]);
        const owner = outcome === "created" ? rival : body;
        checkBytes(await context.store.get(key, undefined), owner, "the object");
        await sleep(context.runtime.timers, Math.min(1000, 50 + 4 * tookMs));
        checkBytes(await context.store.get(key, undefined), owner, "the object, a moment later");
      });
    },
  },
];

/** Rivals with bodies that differ in their first byte; those who lose look at once. */
async function race({ store }: ProbeContext, key: string, bytes: number): Promise<void> {
  const body = pattern(bytes, 5);
  const bodies = Array.from({ length: RIVALS }, (_, rival) => [Uint8Array.of(rival), body]);
  const seen = await all(bodies.map(async (mine) => {
    const outcome = await store.putIfAbsent(key, mine);
    return { outcome, found: await store.get(key, undefined) };
  }));
  const winners = seen.flatMap(({ outcome }, rival) => outcome === "created" ? [rival] : []);
  checkSame(winners.length, 1, `rivals that were told "created"`);
  for (const { found } of seen) {
    checkSame(
      [found?.length, found?.[0]],
      [bytes + 1, winners[0]],
      "length and owner of the object",
    );
  }
  checkBytes((await store.get(key, undefined))?.subarray(1), body, "the winner's bytes");
}

const ABANDONED_BYTES = 200_000;

/** How long a create of that size takes here; the first one may have to connect. */
async function createMs({ store, runtime, prefix }: ProbeContext): Promise<number> {
  let tookMs = Infinity;
  for (const name of ["first", "second"]) {
    const startedMs = runtime.clock.monotonicMs();
    await store.putIfAbsent(`${prefix}${name}`, [pattern(ABANDONED_BYTES, 0)]);
    tookMs = Math.min(tookMs, runtime.clock.monotonicMs() - startedMs);
  }
  return tookMs;
}

/** Parts of a create's time: its very beginning, and on to its end. */
const MOMENTS = [0, 0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2];

/** A create that is aborted after so long, and what its caller was told. */
async function abandoned({ store, runtime, prefix }: ProbeContext, round: number, afterMs: number) {
  const key = `${prefix}${round}`;
  const body = pattern(ABANDONED_BYTES, round);
  const abort = new AbortController();
  const call = store.putIfAbsent(key, [body], { signal: abort.signal }).catch((error) => {
    if (error instanceof StoreError && error.outcome === "retry") return "unknown" as const;
    throw error;
  });
  if (afterMs > 0) await sleep(runtime.timers, afterMs);
  abort.abort();
  const first = await call;
  check(first !== "exists", "a key that nobody had created exists");
  return { key, body, first };
}
