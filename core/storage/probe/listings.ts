/** Listings: recovery finds a chain's slots and a partition's newest manifest by them. */
import { all, atOnce, checkSame, collect, keysOf, text } from "./check.ts";
import type { StorePromise } from "./promise.ts";

const WRITERS = 32;
/** Keys of one page, as most stores give them out. */
const PAGE_KEYS = 1000;

/** Below "order/"; what sorts them is their UTF-8 bytes. */
const KEYS_IN_ORDER = [
  "!",
  "a!",
  "a",
  "a-b",
  "a.b",
  "a0",
  "b/c",
  "b/c.d",
  "b/cd",
  "b0",
  "long-" + "x".repeat(200),
  "%2F",
  " space",
  "+plus",
  "ä",
  "\u{ffee}",
  "\u{1f600}",
];

export const LISTINGS: readonly StorePromise[] = [
  {
    name: "list-pages",
    promise:
      "A long listing is complete and in order, from a prefix, after a key, whole or in part.",
    severity: "required",
    run: async ({ store, prefix, sizes: { listKeys } }) => {
      const keys = Array.from(
        { length: listKeys },
        (_, at) => `${prefix}l/${at % 7}/segment-${String(at * 37 % 100_003).padStart(8, "0")}`,
      );
      await atOnce(keys, WRITERS, (key) => store.put(key, text("x")));
      keys.sort();
      checkSame(await keysOf(store, prefix), keys, "all keys");
      const third = keys.filter((key) => key.startsWith(`${prefix}l/3`));
      checkSame(await keysOf(store, `${prefix}l/3`), third, "keys of one prefix");
      const rest = keys.slice((keys.length >> 1) + 1);
      const half = keys[keys.length >> 1]!;
      checkSame(await keysOf(store, `${prefix}l/`, half), rest, "keys after the middle one");
      checkSame(await keysOf(store, `${prefix}l/`, keys.at(-1)), [], "keys after the last one");
      checkSame(await keysOf(store, `${prefix}l/`, prefix), keys, "keys after one in front");
      const near = keys.filter((key) => key.startsWith(`${prefix}l/5/segment-0000`));
      checkSame(await keysOf(store, `${prefix}l/5/segment-0000`), near, "keys by a part of a name");
      const absent = near[0] + "!";
      checkSame(
        await keysOf(store, `${prefix}l/5/segment-0000`, absent),
        near.slice(1),
        "keys after one that is not there",
      );
      // a bucket's other keys are none of our business, but these come first after our prefix
      const first: string[] = [];
      for await (const { key } of store.list("", prefix)) {
        first.push(key);
        if (first.length === Math.min(keys.length, PAGE_KEYS + 1)) break;
      }
      checkSame(first, keys.slice(0, first.length), "the first keys of the bucket after a key");
      await store.delete(keys);
      checkSame(await keysOf(store, prefix), [], "keys after one delete of all");
    },
  },
  {
    name: "list-order",
    promise: "Listings are ordered by the keys' UTF-8 bytes.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const keys = KEYS_IN_ORDER.map((key) => `${prefix}order/${key}`);
      await all(keys.map((key) => store.put(key, text(key))));
      const ordered = keys.toSorted(byBytes);
      checkSame(await keysOf(store, prefix), ordered, "the listing");
      await all(ordered.map(async (key, at) => {
        const rest = await keysOf(store, `${prefix}order/`, key);
        checkSame(rest, ordered.slice(at + 1), `the listing after ${key.slice(prefix.length)}`);
      }));
    },
  },
  {
    name: "list-prefix",
    promise: "A listing's prefix is text, not a folder: it may end anywhere in a key.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const [one, two] = [`${prefix}ns/topic/0/a`, `${prefix}ns/topic2/0/a`];
      await store.put(one, text("x"));
      await store.put(two, text("xy"));
      checkSame(await keysOf(store, `${prefix}ns/topic`), [one, two], "ns/topic");
      checkSame(await keysOf(store, `${prefix}ns/topic/`), [one], "ns/topic/");
      checkSame(await keysOf(store, `${prefix}n`), [one, two], "n");
      const nothing = ["/", "//", "../", "ns//", "ns/./", "ns/../", "ns/topic/0/a/", "nope/"];
      await all(nothing.map(async (none) => {
        checkSame(await keysOf(store, `${prefix}${none}`), [], `below "${none}"`);
      }));
      const sizes = (await collect(store.list(prefix, undefined))).map((info) => info.size);
      checkSame(sizes, [1, 2], "sizes");
    },
  },
];

function byBytes(a: string, b: string): number {
  const [x, y] = [a, b].map((key) => new TextEncoder().encode(key)) as [Uint8Array, Uint8Array];
  for (let at = 0; at < Math.min(x.length, y.length); at++) {
    if (x[at] !== y[at]) return x[at]! - y[at]!;
  }
  return x.length - y.length;
}
