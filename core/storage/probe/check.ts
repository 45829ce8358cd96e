/** What the cases compare with; every difference is a BrokenPromiseError. */
import { concat } from "../../bytes/mod.ts";
import { sleep } from "../../runtime/sleep.ts";
import {
  type ObjectInfo,
  type ObjectStore,
  StoreError,
  type StoreOutcome,
} from "../object_store.ts";
import { backoffMs } from "../retry.ts";
import { BrokenPromiseError, type ProbeContext } from "./promise.ts";

const SHOWN_CHARACTERS = 160;
/** With their pauses some ten seconds. */
const CREATE_ATTEMPTS = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BrokenPromiseError(message);
}

/** Compares plain data. */
export function checkSame(found: unknown, wanted: unknown, what: string): void {
  const [is, should] = [show(found), show(wanted)];
  check(is === should, `${what}: ${cut(is)} instead of ${cut(should)}`);
}

export function checkBytes(found: Uint8Array | undefined, wanted: Uint8Array, what: string): void {
  check(found !== undefined, `${what}: there is no object`);
  check(
    found.length === wanted.length,
    `${what}: ${found.length} bytes instead of ${wanted.length}`,
  );
  const at = found.findIndex((byte, index) => byte !== wanted[index]);
  check(at < 0, `${what}: byte ${at} of ${wanted.length} is another one`);
}

/** The call must fail, with a StoreError of this outcome. */
export async function checkFails(
  call: () => Promise<unknown>,
  outcome: StoreOutcome,
  what: string,
): Promise<void> {
  let found: unknown;
  try {
    await call();
  } catch (error) {
    found = error;
  }
  check(found !== undefined, `${what}: succeeded, and should have failed with "${outcome}"`);
  if (!(found instanceof StoreError)) {
    const { name, message } = found instanceof Error ? found : new Error(String(found));
    throw new BrokenPromiseError(`${what}: failed with ${name} (${message}), no StoreError`);
  }
  const { outcome: is, message } = found;
  check(is === outcome, `${what}: failed with "${is}" instead of "${outcome}" (${message})`);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}

function cut(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** Creates a key that nobody else creates, over passing faults. */
export async function createPatiently(
  { store, runtime }: Pick<ProbeContext, "store" | "runtime">,
  key: string,
  body: readonly Uint8Array[],
): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      const outcome = await store.putIfAbsent(key, body);
      check(outcome === "created" || attempt > 0, "a key that nobody had created exists");
      return;
    } catch (error) {
      const passes = error instanceof StoreError && error.outcome !== "fatal";
      if (!passes || attempt === CREATE_ATTEMPTS) throw error;
      await sleep(runtime.timers, backoffMs(runtime, attempt));
    }
  }
}

/** A body of one part. */
export function text(value: string): Uint8Array[] {
  return [encoder.encode(value)];
}

export async function readText(store: ObjectStore, key: string): Promise<string | undefined> {
  const bytes = await store.get(key, undefined);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

export async function collect(list: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of list) found.push(info);
  return found;
}

export async function keysOf(store: ObjectStore, prefix: string, after?: string) {
  return (await collect(store.list(prefix, after))).map((info) => info.key);
}

/** The same bytes for the same arguments, of no period. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Math.imul(seed + 1, 2654435761) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export function whole(parts: readonly Uint8Array[]): Uint8Array {
  return concat([...parts]);
}

/** As Promise.all, but when it fails nothing is left running. */
export async function all<T>(work: Iterable<Promise<T>>): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

/** `work` on every item, at most `limit` at once; none is begun after a failure. */
export async function atOnce<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    try {
      while (next < items.length) {
        const index = next++;
        await work(items[index]!, index);
      }
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  await all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
