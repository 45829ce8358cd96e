/**
 * What every MetadataStore must do, one fact a case. A driver's test is a call of
 * `metadataStoreConformance`; what a driver cannot do it names in `skip`, with the reason.
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type Entry,
  type Lease,
  MetadataError,
  type MetadataStore,
  type Revision,
  type WatchBatch,
} from "../../core/metadata/metadata_store.ts";

export interface OpenedMetadata {
  readonly store: MetadataStore;
  /** Makes a lease run out as if its holder had been away too long. */
  expire?(lease: Lease): Promise<void>;
  /** Breaks the store's connections for a moment, however it is reached. */
  interrupt?(): Promise<void>;
  /** Makes the store forget the history of changes up to now. */
  forget?(): Promise<void>;
  /** Another, empty store, to restore into. */
  another(): Promise<MetadataStore>;
  /** Removes what the stores left outside of the process. They are closed by then. */
  dispose?(): Promise<void>;
}

export interface ConformanceOptions {
  /** Case name to reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Keys of the long listing. */
  readonly listKeys?: number;
}

interface CaseContext extends OpenedMetadata {
  readonly listKeys: number;
}

export function metadataStoreConformance(
  name: string,
  open: () => Promise<OpenedMetadata>,
  options: ConformanceOptions = {},
): void {
  for (const [title, run] of Object.entries(CASES)) {
    const reason = options.skip?.[title];
    if (reason !== undefined) {
      // Not a skipped test: by its nature the driver cannot be asked this.
      console.log(`${name}: does not apply: "${title}": ${reason}`);
      continue;
    }
    Deno.test({
      name: `${name} metadata store: ${title}`,
      sanitizeOps: true,
      sanitizeResources: true,
      async fn() {
        const opened = await open();
        try {
          await run({ ...opened, listKeys: options.listKeys ?? 10_000 });
        } finally {
          await opened.store.close();
          await opened.dispose?.();
        }
      },
    });
  }
}

/** For drivers that bound their history by themselves. */
export const SHORT_HISTORY = { historyBatches: 500, historyBytes: 64 * 1024 * 1024 };

/** Makes a store with SHORT_HISTORY forget what it has. */
export async function overflow(store: MetadataStore): Promise<void> {
  for (let at = 0; at <= SHORT_HISTORY.historyBatches; at++) {
    await store.commit({ if: [], then: [{ delete: "absent" }] });
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (entry: Entry | undefined): string | undefined =>
  entry && new TextDecoder().decode(entry.value);

async function put(store: MetadataStore, key: string, value: string): Promise<Revision> {
  const result = await store.commit({ if: [], then: [{ put: key, value: bytes(value) }] });
  assert(result.ok);
  return result.revision;
}

/** Takes `count` batches of a watch. */
async function take(
  store: MetadataStore,
  prefix: string,
  from: Revision,
  count: number,
): Promise<WatchBatch[]> {
  const stop = new AbortController();
  const batches: WatchBatch[] = [];
  for await (const batch of store.watch(prefix, from, stop.signal)) {
    batches.push(batch);
    if (batches.length >= count) break;
  }
  stop.abort();
  return batches;
}

/** Tries until the store can be reached; only for what may be done twice. */
async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof MetadataError) || error.outcome !== "retry") throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Watches, again from the last revision where a watch fails, until `keys` keys were told. */
async function follow(store: MetadataStore, prefix: string, from: Revision, keys: number) {
  const batches: { revision: Revision }[] = [];
  const seen = new Set<string>();
  let at = from;
  await persistently(async () => {
    const stop = new AbortController();
    for await (const batch of store.watch(prefix, at, stop.signal)) {
      assert("events" in batch, "history is there");
      batches.push(batch);
      at = batch.revision;
      for (const event of batch.events) {
        seen.add(event.type === "put" ? event.entry.key : event.key);
      }
      if (seen.size === keys) break;
    }
    stop.abort();
  });
  return { batches };
}

/** The keys below `prefix` and their values, as list and watch tell them. */
function mirror(store: MetadataStore, prefix: string, from: Revision, signal: AbortSignal) {
  const state: Record<string, string> = {};
  let reached = from;
  const running = (async () => {
    while (!signal.aborted) {
      for await (const batch of store.watch(prefix, reached, signal)) {
        if ("compacted" in batch) break;
        reached = batch.revision;
        for (const event of batch.events) {
          if (event.type === "put") state[event.entry.key] = text(event.entry)!;
          else delete state[event.key];
        }
      }
      if (signal.aborted) return;
      const { entries, revision } = await store.list(prefix);
      for (const key of Object.keys(state)) delete state[key];
      for (const entry of entries) state[entry.key] = text(entry)!;
      reached = revision;
    }
  })();
  return {
    async until(revision: Revision) {
      while (reached < revision) await new Promise((resolve) => setTimeout(resolve, 5));
      const copy = { ...state };
      void running;
      return copy;
    },
  };
}

/** A batch in one line: `put a=1, delete b`. */
function told(batch: WatchBatch): string {
  if ("compacted" in batch) return "compacted";
  return batch.events.map((event) =>
    event.type === "put" ? `put ${event.entry.key}=${text(event.entry)}` : `delete ${event.key}`
  ).join(", ");
}

const CASES: Readonly<Record<string, (context: CaseContext) => Promise<void>>> = {
  "get() returns undefined for an absent key": async ({ store }) => {
    assertEquals(await store.get("absent"), undefined);
  },

  "commit() is visible when it returns, with its revision": async ({ store }) => {
    const revision = await put(store, "a", "1");
    assertEquals(await store.get("a"), { key: "a", value: bytes("1"), revision });
    assert(await put(store, "a", "2") > revision, "revisions rise");
    assertEquals(text(await store.get("a")), "2");
  },

  "commit() keeps a copy of the value": async ({ store }) => {
    const value = bytes("before");
    const committing = store.commit({ if: [], then: [{ put: "a", value }] });
    value.fill(0);
    await committing;
    assertEquals(text(await store.get("a")), "before");
  },

  "commit() applies all or nothing": async ({ store }) => {
    const revision = await put(store, "a", "1");
    const failed = await store.commit({
      if: [{ key: "a", revision }, { key: "b", revision }],
      then: [{ put: "b", value: bytes("x") }, { delete: "a" }],
    });
    assertEquals(failed, { ok: false });
    assertEquals(text(await store.get("a")), "1");
    const done = await store.commit({
      if: [{ key: "a", revision }, { key: "b", revision: 0 }],
      then: [{ put: "b", value: bytes("x") }, { delete: "a" }],
    });
    assert(done.ok);
    assertEquals(await store.get("a"), undefined);
    assertEquals((await store.get("b"))?.revision, done.revision);
  },

  "commit() compares the revision of the last write, not of older ones": async ({ store }) => {
    const first = await put(store, "a", "1");
    await put(store, "a", "1");
    const tx = { if: [{ key: "a", revision: first }], then: [{ delete: "a" }] };
    assertEquals(await store.commit(tx), { ok: false });
  },

  "commit() compares 0 with absence": async ({ store }) => {
    const create = { if: [{ key: "a", revision: 0 }], then: [{ put: "a", value: bytes("1") }] };
    assert((await store.commit(create)).ok);
    assertEquals(await store.commit(create), { ok: false });
  },

  "commit() lets one of 50 rivals create a key": async ({ store }) => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, rival) =>
      store.commit({
        if: [{ key: "one", revision: 0 }],
        then: [{ put: "one", value: bytes(String(rival)) }],
      })));
    assertEquals(results.filter((result) => result.ok).length, 1);
    const winner = results.findIndex((result) => result.ok);
    assertEquals(text(await store.get("one")), String(winner));
  },

  "commit() loses no increment of 50 rivals": async ({ store }) => {
    const increment = async () => {
      for (;;) {
        const entry = await store.get("counter");
        const next = Number(text(entry) ?? 0) + 1;
        const result = await store.commit({
          if: [{ key: "counter", revision: entry?.revision ?? 0 }],
          then: [{ put: "counter", value: bytes(String(next)) }],
        });
        if (result.ok) return;
      }
    };
    await Promise.all(Array.from({ length: 50 }, increment));
    assertEquals(text(await store.get("counter")), "50");
  },

  "commit() takes concurrent creates of different keys": async ({ store }) => {
    const keys = Array.from({ length: 200 }, (_, at) => `k/${String(at).padStart(3, "0")}`);
    const results = await Promise.all(
      keys.map((key) =>
        store.commit({ if: [{ key, revision: 0 }], then: [{ put: key, value: bytes(key) }] })
      ),
    );
    const revisions = results.map((result) => result.ok ? result.revision : 0);
    assertEquals(new Set(revisions).size, keys.length, "each commit has a revision of its own");
    assertEquals((await store.list("k/")).entries.map((entry) => entry.key), keys);
  },

  "commit() deletes absent keys without complaint": async ({ store }) => {
    assert((await store.commit({ if: [], then: [{ delete: "absent" }] })).ok);
  },

  "a key that is created again has a greater revision": async ({ store }) => {
    const first = await put(store, "a", "1");
    await store.commit({ if: [], then: [{ delete: "a" }] });
    const second = await store.commit({
      if: [{ key: "a", revision: 0 }],
      then: [{ put: "a", value: bytes("2") }],
    });
    assert(second.ok && second.revision > first + 1);
  },

  "values of 0 bytes and of 1 MiB come back as they were": async ({ store }) => {
    const large = new Uint8Array(1024 * 1024).map((_, at) => at % 251);
    await store.commit({
      if: [],
      then: [{ put: "large", value: large }, { put: "empty", value: new Uint8Array(0) }],
    });
    assertEquals((await store.get("large"))?.value, large);
    assertEquals((await store.get("empty"))?.value.length, 0);
    const slice = large.subarray(100, 200);
    await store.commit({ if: [], then: [{ put: "slice", value: slice }] });
    assertEquals((await store.get("slice"))?.value, slice);
  },

  "list() orders keys by their UTF-8 bytes": async ({ store }) => {
    const keys = ["p/", "p/!", "p/A", "p/a", "p/a/b", "p/aa", "p/é", "p/日", "p/\uff5e", "p/😀"];
    await Promise.all([...keys].reverse().map((key) => put(store, key, key)));
    for (const other of ["p", "o/x", "p0", "q/"]) await put(store, other, other);
    assertEquals((await store.list("p/")).entries.map((entry) => entry.key), keys);
    assertEquals((await store.list("p/😀")).entries.length, 1);
    assertEquals((await store.list("p/\u65e5")).entries.length, 1);
    assertEquals((await store.list("")).entries.length, keys.length + 4);
    assertEquals((await store.list("absent/")).entries, []);
  },

  "list() returns thousands of keys as of one revision": async ({ store, listKeys }) => {
    const names = Array.from({ length: listKeys }, (_, at) => `n/${String(at).padStart(6, "0")}`);
    let last = 0;
    for (let at = 0; at < names.length; at += 500) {
      const revisions = await Promise.all(
        names.slice(at, at + 500).map((name) => put(store, name, name)),
      );
      last = Math.max(...revisions);
    }
    const { entries, revision } = await store.list("n/");
    assertEquals(entries.map((entry) => entry.key), names);
    assertEquals(revision, last);
  },

  "watch() tells each revision once, in order, without gaps": async ({ store }) => {
    const { revision } = await store.list("");
    const watching = take(store, "w/", revision, 100);
    const writing = Promise.all(
      Array.from({ length: 100 }, (_, at) => put(store, `w/${at % 7}`, String(at))),
    );
    const written = await writing;
    const batches = await watching;
    const revisions = batches.map((batch) => "compacted" in batch ? -1 : batch.revision);
    assertEquals(revisions, written.toSorted((a, b) => a - b));
  },

  "watch() starts in the past, where history reaches": async ({ store }) => {
    const first = await put(store, "w/a", "1");
    await put(store, "w/a", "2");
    await put(store, "elsewhere", "x");
    await store.commit({
      if: [],
      then: [{ delete: "w/a" }, { put: "w/b", value: bytes("3") }],
    });
    assertEquals((await take(store, "w/", first - 1, 3)).map(told), [
      "put w/a=1",
      "put w/a=2",
      "delete w/a, put w/b=3",
    ]);
    assertEquals((await take(store, "w/", first, 1)).map(told), ["put w/a=2"]);
  },

  "watch() tells what is visible already": async ({ store }) => {
    const { revision } = await store.list("");
    const watching = take(store, "w/", revision, 1);
    await put(store, "w/a", "1");
    const [batch] = await watching;
    assert(batch !== undefined && "revision" in batch);
    assertEquals((await store.get("w/a"))?.revision, batch.revision);
  },

  "watch() goes on without gaps when the connection breaks": async ({ store, interrupt }) => {
    const { revision } = await store.list("");
    const following = follow(store, "w/", revision, 60);
    const written: Revision[] = [];
    for (let at = 0; at < 60; at++) {
      if (at === 20 || at === 40) await interrupt!();
      written.push(await persistently(() => put(store, `w/${at}`, String(at))));
    }
    const { batches } = await following;
    const told = batches.map((batch) => batch.revision);
    assertEquals(told, told.toSorted((a, b) => a - b));
    // a write whose answer was lost was done again
    const missing = written.filter((each) => !told.includes(each));
    assertEquals(missing, []);
    assertEquals(new Set(told).size, told.length);
  },

  "watch() from before a compaction says that history is gone": async ({ store, forget }) => {
    const first = await put(store, "w/a", "1");
    await put(store, "w/a", "2");
    await put(store, "w/a", "3");
    await forget!();
    const last = await put(store, "w/a", "4");
    assertEquals((await take(store, "w/", first, 1)).map(told), ["compacted"]);
    assertEquals((await take(store, "w/", last - 1, 1)).map(told), ["put w/a=4"]);
  },

  "watch() that is up to date outlives a compaction": async ({ store, forget }) => {
    const first = await put(store, "w/a", "1");
    const stop = new AbortController();
    const batches = store.watch("w/", first - 1, stop.signal)[Symbol.asyncIterator]();
    assertEquals(told((await batches.next()).value), "put w/a=1");
    const next = batches.next();
    await forget!();
    await put(store, "w/a", "2");
    assertEquals(told((await next).value), "put w/a=2");
    stop.abort();
    await batches.return?.();
  },

  "list() and watch() follow rivals through compactions": async ({ store, forget }) => {
    const { revision } = await store.list("r/");
    const stop = new AbortController();
    const following = mirror(store, "r/", revision, stop.signal);
    await Promise.all(Array.from({ length: 8 }, async (_, rival) => {
      for (let at = 0; at < 40; at++) {
        const key = `r/${(rival * 7 + at) % 13}`;
        const entry = await store.get(key);
        await store.commit({
          if: [{ key, revision: entry?.revision ?? 0 }],
          then: [at % 5 === 4 ? { delete: key } : { put: key, value: bytes(`${rival}.${at}`) }],
        });
        if (rival === 0 && at % 20 === 10) await forget!();
      }
    }));
    const end = await put(store, "r/end", "x");
    const state = await following.until(end);
    stop.abort();
    const { entries } = await store.list("r/");
    assertEquals(state, Object.fromEntries(entries.map((entry) => [entry.key, text(entry)])));
  },

  "watch() ends when its signal aborts": async ({ store }) => {
    const stop = new AbortController();
    const watching = (async () => {
      for await (const batch of store.watch("w/", 0, stop.signal)) void batch;
    })();
    await put(store, "other", "x");
    stop.abort();
    await watching;
  },

  "lease() keeps its keys until it is revoked": async ({ store }) => {
    const lease = await store.lease(5_000);
    const { revision } = await store.list("");
    await store.commit({ if: [], then: [{ put: "l/a", value: bytes("1"), lease }] });
    await put(store, "l/b", "kept");
    assertEquals((await store.list("l/")).entries.length, 2);
    await lease.revoke();
    await lease.lost;
    assertEquals((await store.list("l/")).entries.map((entry) => entry.key), ["l/b"]);
    assertEquals((await take(store, "l/", revision, 3)).map(told).at(-1), "delete l/a");
    await lease.revoke();
  },

  "lease() that runs out deletes its keys and reports the loss": async ({ store, expire }) => {
    const lease = await store.lease(5_000);
    await store.commit({ if: [], then: [{ put: "l/a", value: bytes("1"), lease }] });
    await expire!(lease);
    await lease.lost;
    assertEquals(await store.get("l/a"), undefined);
  },

  "lease() lets go of a key that is written without it": async ({ store }) => {
    const lease = await store.lease(5_000);
    await store.commit({ if: [], then: [{ put: "l/a", value: bytes("1"), lease }] });
    await put(store, "l/a", "2");
    await lease.revoke();
    assertEquals(text(await store.get("l/a")), "2");
  },

  "commit() under a lost lease fails and does nothing": async ({ store }) => {
    const lease = await store.lease(5_000);
    await lease.revoke();
    const error = await assertRejects(() =>
      store.commit({
        if: [],
        then: [{ put: "x", value: bytes("1") }, { put: "l/a", value: bytes("1"), lease }],
      })
    );
    assertInstanceOf(error, MetadataError);
    assertEquals(error.outcome, "retry");
    assertEquals(await store.get("x"), undefined);
  },

  "snapshot() and restore() copy everything but leased keys": async ({ store, another }) => {
    const lease = await store.lease(5_000);
    const large = new Uint8Array(600 * 1024).fill(7);
    await store.commit({
      if: [],
      then: [
        { put: "a", value: bytes("1") },
        { put: "日本", value: large },
        { put: "leased", value: bytes("x"), lease },
      ],
    });
    const target = await another();
    try {
      const before = await put(target, "old", "gone");
      await target.restore(store.snapshot());
      const { entries, revision } = await target.list("");
      assertEquals(entries.map((entry) => entry.key), ["a", "日本"]);
      assertEquals(entries[1]!.value, large);
      assert(revision > before && entries.every((entry) => entry.revision > before));
      assert(await put(target, "b", "2") > revision);
    } finally {
      await target.close();
    }
  },

  "restore() tells watchers to list again": async ({ store, another }) => {
    const target = await another();
    try {
      const from = await put(target, "w/a", "1");
      const watching = take(target, "w/", from, 1);
      await target.restore(store.snapshot());
      assertEquals((await watching).map(told), ["compacted"]);
    } finally {
      await target.close();
    }
  },

  "restore() refuses a damaged snapshot and changes nothing": async ({ store }) => {
    await put(store, "a", "1");
    const parts = await Array.fromAsync(store.snapshot());
    const damaged = parts.map((part) => part.slice());
    damaged[1]![damaged[1]!.length - 1]! ^= 1;
    for (const broken of [damaged, parts.slice(0, -1), [bytes("not a snapshot at all")]]) {
      const from = (async function* () {
        yield* broken;
      })();
      const error = await assertRejects(() => store.restore(from));
      assertInstanceOf(error, MetadataError);
    }
    assertEquals(text(await store.get("a")), "1");
  },

  "close() ends leases and watches, and later calls fail": async ({ store }) => {
    const lease = await store.lease(5_000);
    const watching = assertRejects(() => take(store, "w/", 1_000_000, 1));
    await store.close();
    await lease.lost;
    assertInstanceOf(await watching, MetadataError);
    for (const call of [() => store.get("a"), () => put(store, "a", "1"), () => store.lease(1)]) {
      assertInstanceOf(await assertRejects(call), MetadataError);
    }
    await store.close();
  },
};
