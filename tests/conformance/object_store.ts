/**
 * What every ObjectStore must do, one fact a case. A driver's test is a call of
 * `objectStoreConformance`; what a driver cannot do it names in `skip`, with the reason.
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { concat } from "../../core/bytes/mod.ts";
import { type ObjectInfo, type ObjectStore, StoreError } from "../../core/storage/object_store.ts";

export interface ConformanceOptions {
  /** Case name to reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Bytes of the large object; 64 MiB unless a store is far away. */
  readonly largeBytes?: number;
  /** Keys of the long listing. */
  readonly listKeys?: number;
}

export interface OpenedStore {
  readonly store: ObjectStore;
  /** Removes what the store left outside of the process. The store is closed by then. */
  dispose?(): Promise<void>;
}

interface CaseContext {
  readonly store: ObjectStore;
  readonly options: Required<Omit<ConformanceOptions, "skip">>;
}

type Case = (context: CaseContext) => Promise<void>;

const encoder = new TextEncoder();
const text = (value: string): Uint8Array[] => [encoder.encode(value)];
const read = async (store: ObjectStore, key: string): Promise<string | undefined> => {
  const bytes = await store.get(key, undefined);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};

export function objectStoreConformance(
  name: string,
  open: () => Promise<OpenedStore>,
  options: ConformanceOptions = {},
): void {
  const full = {
    largeBytes: options.largeBytes ?? 64 * 1024 * 1024,
    listKeys: options.listKeys ?? 5000,
  };
  for (const [title, run] of Object.entries(CASES)) {
    const reason = options.skip?.[title];
    if (reason !== undefined) {
      // Not a skipped test: by its nature the driver cannot be asked this.
      console.log(`${name}: does not apply: "${title}": ${reason}`);
      continue;
    }
    Deno.test({
      name: `ObjectStore(${name}) ${title}`,
      fn: async () => {
        const opened = await open();
        try {
          await run({ store: opened.store, options: full });
        } finally {
          await opened.store.close();
          await opened.dispose?.();
        }
      },
    });
  }
}

async function collect(list: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of list) found.push(info);
  return found;
}

async function keysOf(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
  return (await collect(store.list(prefix, after))).map((info) => info.key);
}

async function refused(call: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(call, StoreError);
  assertEquals(error.outcome, "fatal");
}

function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761 >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const KEYS_IN_ORDER = [
  "order/!",
  "order/a!",
  "order/a",
  "order/a-b",
  "order/a.b",
  "order/a0",
  "order/b/c",
  "order/b/c.d",
  "order/b/cd",
  "order/b0",
  "order/long-" + "x".repeat(300),
  "order/%2F",
  "order/ space",
  "order/ä",
  "order/\u{ffee}",
  "order/\u{1f600}",
];

const CASES: Readonly<Record<string, Case>> = {
  "putIfAbsent() creates once and says exists from then on": async ({ store }) => {
    assertEquals(await store.putIfAbsent("a/b", text("first")), "created");
    assertEquals(await store.putIfAbsent("a/b", text("second")), "exists");
    assertEquals(await read(store, "a/b"), "first");
  },
  "putIfAbsent() has one winner among 50 rivals, and the winner's bytes stay": async (
    { store },
  ) => {
    for (let round = 0; round < 4; round++) {
      const key = `race/${round}/slot`;
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, rival) => store.putIfAbsent(key, text(`rival ${rival}`))),
      );
      const winners = outcomes.flatMap((outcome, rival) => outcome === "created" ? [rival] : []);
      assertEquals(winners.length, 1);
      assertEquals(await read(store, key), `rival ${winners[0]}`);
    }
  },
  "putIfAbsent() creates again after a delete": async ({ store }) => {
    await store.putIfAbsent("again", text("one"));
    await store.delete(["again"]);
    assertEquals(await store.putIfAbsent("again", text("two")), "created");
    assertEquals(await read(store, "again"), "two");
  },
  "putIfAbsent() and delete() in the same folder at once lose nothing": async ({ store }) => {
    const workers = Array.from({ length: 8 }, async (_, worker) => {
      for (let round = 0; round < 20; round++) {
        const key = `churn/${worker % 2}/deep/${worker}`;
        assertEquals(await store.putIfAbsent(key, text(`${round}`)), "created");
        assertEquals(await read(store, key), `${round}`);
        await store.delete([key]);
      }
    });
    await Promise.all(workers);
    assertEquals(await keysOf(store, "churn/"), []);
  },
  "put() creates and replaces": async ({ store }) => {
    await store.put("p", text("one"));
    assertEquals(await read(store, "p"), "one");
    await store.put("p", text("twice"));
    assertEquals(await read(store, "p"), "twice");
  },
  "put() replaces atomically under concurrent readers": async ({ store }) => {
    const versions = [0, 1, 2].map((seed) => pattern(200_000 + seed * 50_000, seed));
    await store.put("swap", [versions[0]!]);
    let done = false;
    const readers = Array.from({ length: 4 }, async () => {
      while (!done) {
        const bytes = await store.get("swap", undefined);
        assert(bytes !== undefined, "the object was absent for a moment");
        const version = versions.find((candidate) => candidate.length === bytes.length);
        assert(version !== undefined, "a length that was never written");
        assertEquals(bytes[bytes.length - 1], version[version.length - 1]);
        assertEquals(bytes[777], version[777]);
      }
    });
    for (let round = 1; round <= 20; round++) await store.put("swap", [versions[round % 3]!]);
    done = true;
    await Promise.all(readers);
  },
  "a gather list is written in order, empty parts included": async ({ store }) => {
    const sizes = [0, 1, 0, 200_000, 3, 70_000, 70_000, 0, 300_000, 5, 0];
    const parts = sizes.map((size, seed) => pattern(size, seed));
    await store.putIfAbsent("gather/created", parts);
    await store.put("gather/put", parts);
    const whole = concat(parts);
    assertEquals(await store.get("gather/created", undefined), whole);
    assertEquals(await store.get("gather/put", undefined), whole);
  },
  "the caller may change the body as soon as the call returns": async ({ store }) => {
    const body = pattern(10_000, 1);
    const before = body.slice();
    await store.putIfAbsent("mine", [body]);
    body.fill(0);
    const got = await store.get("mine", undefined);
    assertEquals(got, before);
    got!.fill(1);
    assertEquals(await store.get("mine", undefined), before);
  },
  "an empty object is an object": async ({ store }) => {
    assertEquals(await store.putIfAbsent("empty/none", []), "created");
    assertEquals(await store.putIfAbsent("empty/one", [new Uint8Array(0)]), "created");
    assertEquals((await store.get("empty/none", undefined))?.length, 0);
    assertEquals((await store.get("empty/one", { start: 0, end: 10 }))?.length, 0);
    assertEquals((await collect(store.list("empty/", undefined))).map((info) => info.size), [0, 0]);
  },
  "a large object comes back whole and in ranges": async ({ store, options }) => {
    const slab = pattern(1024 * 1024, 7);
    const slabs = Array.from({ length: options.largeBytes / slab.length }, () => slab);
    assertEquals(await store.putIfAbsent("large", slabs), "created");
    const whole = await store.get("large", undefined);
    assertEquals(whole?.length, options.largeBytes);
    for (let at = 0; at < options.largeBytes; at += 999_983) {
      assertEquals(whole![at], slab[at % slab.length]);
    }
    const middle = await store.get("large", { start: slab.length - 5, end: slab.length + 5 });
    assertEquals(middle, concat([slab.subarray(-5), slab.subarray(0, 5)]));
    const [info] = await collect(store.list("large", undefined));
    assertEquals(info?.size, options.largeBytes);
  },
  "get() of an absent key is undefined": async ({ store }) => {
    assertEquals(await store.get("no/such/key", undefined), undefined);
    assertEquals(await store.get("no/such/key", { start: 0, end: 5 }), undefined);
    await store.put("here/object", text("x"));
    assertEquals(await store.get("here", undefined), undefined);
    assertEquals(await store.get("here/object/below", undefined), undefined);
  },
  "getInto() fills buffers in order, and tells how far": async ({ store }) => {
    if (store.getInto === undefined) return;
    await store.put("filled", text("0123456789"));
    const into = [new Uint8Array(3), new Uint8Array(4), new Uint8Array(8)];
    assertEquals(await store.getInto("filled", 1, into), 9);
    assertEquals(new TextDecoder().decode(concat(into)).slice(0, 9), "123456789");
    assertEquals(await store.getInto("filled", 2, [new Uint8Array(2)]), 2);
    assertEquals(await store.getInto("filled", 10, [new Uint8Array(2)]), 0);
    assertEquals(await store.getInto("absent", 0, [new Uint8Array(2)]), undefined);
  },
  "get() cuts ranges at the end of the object": async ({ store }) => {
    await store.put("ranges", text("0123456789"));
    const cases: [number, number, string][] = [
      [0, 10, "0123456789"],
      [0, 1, "0"],
      [9, 10, "9"],
      [3, 7, "3456"],
      [3, 3, ""],
      [5, 1000, "56789"],
      [10, 11, ""],
      [500, 600, ""],
      [0, Number.MAX_SAFE_INTEGER, "0123456789"],
    ];
    for (const [start, end, wanted] of cases) {
      const bytes = await store.get("ranges", { start, end });
      assertEquals(new TextDecoder().decode(bytes), wanted, `range ${start} to ${end}`);
    }
  },
  "list() gives thousands of keys in order, from a prefix, after a key": async (
    { store, options },
  ) => {
    const keys = Array.from(
      { length: options.listKeys },
      (_, at) => `list/${at % 7}/segment-${String(at * 37 % 100_003).padStart(8, "0")}`,
    );
    for (let at = 0; at < keys.length; at += 16) {
      await Promise.all(keys.slice(at, at + 16).map((key) => store.put(key, text("x"))));
    }
    keys.sort();
    assertEquals(await keysOf(store, ""), keys);
    assertEquals(await keysOf(store, "list/3"), keys.filter((key) => key.startsWith("list/3")));
    const half = keys[keys.length >> 1]!;
    assertEquals(await keysOf(store, "list/", half), keys.slice((keys.length >> 1) + 1));
    assertEquals(await keysOf(store, "list/", keys.at(-1)), []);
    assertEquals(await keysOf(store, "list/", "a"), keys);
    const nearest = keys.filter((key) => key.startsWith("list/5/segment-0000"));
    assertEquals(await keysOf(store, "list/5/segment-0000"), nearest);
    assertEquals(
      await keysOf(store, "list/5/segment-0000", nearest[1] + "!"),
      nearest.slice(2),
    );
    const first: string[] = [];
    for await (const { key } of store.list("list/", half)) {
      first.push(key);
      if (first.length === 3) break;
    }
    assertEquals(first, keys.slice((keys.length >> 1) + 1).slice(0, 3));
  },
  "list() orders keys by their UTF-8 bytes": async ({ store }) => {
    for (const key of KEYS_IN_ORDER) await store.put(key, text(key));
    const bytesOf = (key: string) => [...encoder.encode(key)].map((b) => String.fromCharCode(b));
    const ordered = KEYS_IN_ORDER.toSorted((a, b) =>
      bytesOf(a).join("") < bytesOf(b).join("") ? -1 : 1
    );
    assertEquals(await keysOf(store, "order/"), ordered);
    for (let at = 0; at < ordered.length; at++) {
      assertEquals(await keysOf(store, "order/", ordered[at]), ordered.slice(at + 1));
    }
    for (const key of KEYS_IN_ORDER) assertEquals(await read(store, key), key);
  },
  "list() takes prefixes that are no keys for what they are": async ({ store }) => {
    await store.put("ns/topic/0/a", text("x"));
    await store.put("ns/topic2/0/a", text("x"));
    assertEquals(await keysOf(store, "ns/topic"), ["ns/topic/0/a", "ns/topic2/0/a"]);
    assertEquals(await keysOf(store, "ns/topic/"), ["ns/topic/0/a"]);
    assertEquals(await keysOf(store, "n"), ["ns/topic/0/a", "ns/topic2/0/a"]);
    for (const none of ["/", "//", "../", "ns//", "ns/./", "ns/../", "ns/topic/0/a/", "nope/"]) {
      assertEquals(await keysOf(store, none), [], none);
    }
  },
  "unicode keys of any length come back as they were": async ({ store }) => {
    const keys = [
      "ünï/cødé/日本語",
      "emoji/😀/x",
      'spaces and : * ? " < > | \\ % signs',
      "case/Topic",
      "case/topic",
      "nfc/\u{e9}",
      "nfc/e\u{301}",
      ".tmp/x",
      "long/" + "ä".repeat(500),
      "deep/" + "d/".repeat(150) + "end",
      "l".repeat(1024),
    ];
    for (const key of keys) assertEquals(await store.putIfAbsent(key, text(key)), "created");
    for (const key of keys) assertEquals(await read(store, key), key);
    assertEquals((await keysOf(store, "")).toSorted(), keys.toSorted());
    await store.delete(keys);
    assertEquals(await keysOf(store, ""), []);
  },
  "keys that are none are refused": async ({ store }) => {
    const bad = [
      "",
      "/",
      "/a",
      "a/",
      "a//b",
      ".",
      "..",
      "../a",
      "a/../b",
      "a/./b",
      "a/..",
      "nul\0",
      "\ud800",
      "k".repeat(1025),
      "ä".repeat(513),
    ];
    for (const key of bad) {
      await refused(() => store.putIfAbsent(key, text("x")));
      await refused(() => store.put(key, text("x")));
      await refused(() => store.get(key, undefined));
      await refused(() => store.delete([key]));
    }
    assertEquals(await keysOf(store, ""), []);
  },
  "delete() takes many keys, absent ones too": async ({ store }) => {
    const keys = Array.from({ length: 40 }, (_, at) => `d/${at % 4}/${at}`);
    await Promise.all(keys.map((key) => store.put(key, text("x"))));
    await store.delete([...keys.slice(0, 39), "d/none", "nowhere/at/all"]);
    assertEquals(await keysOf(store, "d/"), [keys[39]!]);
    await store.delete([]);
    await store.delete(["d/none"]);
  },
  "a folder of objects is no object": async ({ store }) => {
    await store.put("f/a/b", text("x"));
    assertEquals(await store.get("f/a", undefined), undefined);
    await store.delete(["f/a"]);
    await store.delete(["f"]);
    assertEquals(await keysOf(store, "f"), ["f/a/b"]);
  },
  "a key may go on where another ends": async ({ store }) => {
    assertEquals(await store.putIfAbsent("both", text("object")), "created");
    assertEquals(await store.putIfAbsent("both/below", text("too")), "created");
    assertEquals(await read(store, "both"), "object");
  },
  "an aborted call rejects and what was aborted before it began has no effect": async (
    { store },
  ) => {
    const signal = AbortSignal.abort(new Error("enough"));
    for (
      const call of [
        () => store.putIfAbsent("aborted", text("x"), { signal }),
        () => store.put("aborted", text("x"), { signal }),
        () => store.get("aborted", undefined, { signal }),
        () => store.delete(["aborted"], { signal }),
        () => collect(store.list("", undefined, { signal })),
      ]
    ) {
      const error = await assertRejects(call, StoreError);
      assertEquals(error.outcome, "retry");
    }
    assertEquals(await read(store, "aborted"), undefined);
  },
  "a call that is aborted on its way leaves all or nothing": async ({ store }) => {
    const body = [pattern(300_000, 3)];
    for (let round = 0; round < 20; round++) {
      const abort = new AbortController();
      const key = `midway/${round}`;
      const call = store.putIfAbsent(key, body, { signal: abort.signal }).catch((error) => {
        assertInstanceOf(error, StoreError);
        return "aborted";
      });
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      if (round % 3 === 0) await new Promise((go) => setTimeout(go, round / 10));
      abort.abort();
      await call;
      const bytes = await store.get(key, undefined);
      if (bytes !== undefined) assertEquals(bytes.length, 300_000);
    }
  },
  "calls after close() are refused": async ({ store }) => {
    await store.put("closing", text("x"));
    await store.close();
    await store.close();
    await refused(() => store.putIfAbsent("x", text("x")));
    await refused(() => store.put("x", text("x")));
    await refused(() => store.get("closing", undefined));
    await refused(() => store.delete(["closing"]));
    await refused(() => collect(store.list("", undefined)));
  },
  "advice is sane": ({ store }) => {
    const { flushIntervalMs, parallelUploads, commitBytes, rangeBytes, readAheadBytes } =
      store.advice;
    assert(flushIntervalMs >= 0);
    assert(parallelUploads >= 1 && parallelUploads <= 64);
    assert(commitBytes >= 64 * 1024);
    assert(rangeBytes >= 4 * 1024 && readAheadBytes >= rangeBytes);
    return Promise.resolve();
  },
};
