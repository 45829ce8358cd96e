/** One write at a time for each key, in the order of asking. */
import { deferred } from "../../../core/runtime/mod.ts";

export class KeyLocks {
  /** The last one in line for each key; as many as there are calls on their way. */
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Resolves to the release of all the keys, which are distinct. Lines are joined for all of them
   * in one step, so that two calls never wait for each other.
   */
  async acquire(keys: readonly string[]): Promise<() => void> {
    const mine = deferred<void>();
    const before: Promise<void>[] = [];
    for (const key of keys) {
      const last = this.#last.get(key);
      if (last !== undefined) before.push(last);
      this.#last.set(key, mine.promise);
    }
    if (before.length > 0) await Promise.all(before);
    return () => {
      for (const key of keys) {
        if (this.#last.get(key) === mine.promise) this.#last.delete(key);
      }
      mine.resolve();
    };
  }
}
