/** I9 as seen from the store: how much a broker asks for at once. */
import type { ObjectStore, StoreAdvice } from "../../core/storage/object_store.ts";
import type { History } from "./history.ts";

/** Commits (at most 4 in any plan) and, at start, seals and adoption. */
const WAL_CREATES_MAX = 8;

/** All calls together: reads of many partitions at once, rewriting, housekeeping. */
const CALLS_MAX = 200;

/** `store` with other advice, and its calls counted. */
export function boundedStore(
  store: ObjectStore,
  advice: StoreAdvice,
  who: string,
  history: History,
): ObjectStore {
  let calls = 0;
  let creates = 0;
  const counted = async <T>(call: () => Promise<T>): Promise<T> => {
    if (++calls === CALLS_MAX + 1) history.problem(`I9: ${who} has ${calls} store calls in flight`);
    try {
      return await call();
    } finally {
      calls--;
    }
  };
  return {
    advice,
    putIfAbsent: async (key, body, options) => {
      const wal = key.includes("/.wal/");
      if (wal && ++creates === WAL_CREATES_MAX + 1) {
        history.problem(`I9: ${who} has ${creates} commits in flight`);
      }
      try {
        return await counted(() => store.putIfAbsent(key, body, options));
      } finally {
        if (wal) creates--;
      }
    },
    put: (key, body, options) => counted(() => store.put(key, body, options)),
    get: (key, range, options) => counted(() => store.get(key, range, options)),
    delete: (keys, options) => counted(() => store.delete(keys, options)),
    list: (prefix, startAfter, options) => store.list(prefix, startAfter, options),
    close: () => store.close(),
  };
}
