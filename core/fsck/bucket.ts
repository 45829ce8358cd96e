/** The store as the check uses it: few calls at once, passing faults ridden out for a while. */
import type { Runtime } from "../runtime/runtime.ts";
import { Semaphore } from "../runtime/semaphore.ts";
import { sleep } from "../runtime/sleep.ts";
import {
  type ByteRange,
  type ObjectInfo,
  type ObjectStore,
  StoreError,
} from "../storage/object_store.ts";
import { backoffMs } from "../storage/retry.ts";

/** Keys deleted with one call. */
const DELETE_BATCH = 500;

/** Objects are read in ranges of this size, each in memory only until the next. */
const WINDOW_BYTES = 4 << 20;

/** A store that fails for this long ends the check. */
const PATIENCE_MS = 60_000;

export class Bucket {
  readonly #turn: Semaphore;

  constructor(
    readonly store: ObjectStore,
    readonly runtime: Runtime,
    readonly signal: AbortSignal,
    /** Calls under way at once. */
    readonly parallel: number,
  ) {
    this.#turn = new Semaphore(parallel);
  }

  /** See ObjectStore.get. */
  get(key: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    return this.#patiently(() => this.store.get(key, range, this));
  }

  put(key: string, body: readonly Uint8Array[]): Promise<void> {
    return this.#patiently(() => this.store.put(key, body, this));
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_BATCH) {
      await this.#patiently(() => this.store.delete(keys.slice(at, at + DELETE_BATCH), this));
    }
  }

  /**
   * Hands the bytes of `[start, end)` to `take`, piece by piece; false where the object is gone or
   * ends before `end`.
   */
  async read(
    key: string,
    start: number,
    end: number,
    take: (piece: Uint8Array) => void,
  ): Promise<boolean> {
    for (let at = start; at < end;) {
      const until = Math.min(end, at + WINDOW_BYTES);
      const piece = await this.get(key, { start: at, end: until });
      if (piece === undefined || piece.length !== until - at) return false;
      take(piece);
      at = until;
    }
    return true;
  }

  /** A listing that goes on behind the last key that it brought when it is cut. */
  async *list(prefix: string, startAfter?: string): AsyncGenerator<ObjectInfo> {
    const faults = new Patience(this);
    for (let after = startAfter;;) {
      try {
        for await (const info of this.store.list(prefix, after, this)) {
          after = info.key;
          faults.over();
          yield info;
        }
        return;
      } catch (error) {
        await faults.bear(error);
      }
    }
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    const faults = new Patience(this);
    return await this.#turn.within(async () => {
      for (;;) {
        try {
          return await call();
        } catch (error) {
          await faults.bear(error);
        }
      }
    });
  }
}

/** Waits a little after each passing fault, and throws when there have been faults for too long. */
class Patience {
  #attempt = 0;
  #sinceMs: number | undefined;

  constructor(readonly o: { readonly runtime: Runtime; readonly signal: AbortSignal }) {}

  over(): void {
    this.#attempt = 0;
    this.#sinceMs = undefined;
  }

  async bear(error: unknown): Promise<void> {
    const { runtime, signal } = this.o;
    const passing = error instanceof StoreError && error.outcome !== "fatal";
    if (!passing || signal.aborted) throw error;
    const nowMs = runtime.clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs > PATIENCE_MS) throw error;
    await sleep(runtime.timers, backoffMs(runtime, this.#attempt++), signal);
  }
}

/** Runs `work` on each item, at most `limit` at a time; the first error ends it. */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  for await (const item of items) {
    const run = work(item)
      .catch((error) => void (failed ??= { error }))
      .finally(() => running.delete(run));
    running.add(run);
    if (running.size >= limit) await Promise.race(running);
    if (failed !== undefined) break;
  }
  await Promise.all(running);
  if (failed !== undefined) throw failed.error;
}
