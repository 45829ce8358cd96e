/** Objects appear whole, at once and for everybody, and come back as they were. */
import {
  all,
  check,
  checkBytes,
  checkSame,
  collect,
  createPatiently,
  keysOf,
  pattern,
  readText,
  text,
  whole,
} from "./check.ts";
import { NotTestedError, type StorePromise } from "./promise.ts";

const MIB = 1024 * 1024;

export const OBJECTS: readonly StorePromise[] = [
  {
    name: "seen-at-once",
    promise: "What was written or deleted is seen so by every read and listing from then on.",
    severity: "required",
    run: async (context) => {
      const { store, prefix } = context;
      await all(Array.from({ length: 10 }, async (_, at) => {
        const key = `${prefix}${at}`;
        checkSame(await store.get(key, undefined), undefined, "before it was created");
        await createPatiently(context, key, text("x"));
        checkSame(await readText(store, key), "x", "right after its creation");
        checkSame(await keysOf(store, key), [key], "a listing right after its creation");
        await store.delete([key]);
        checkSame(await readText(store, key), undefined, "right after its deletion");
        checkSame(await keysOf(store, key), [], "a listing right after its deletion");
      }));
    },
  },
  {
    name: "put-replaces",
    promise: "A plain write creates and replaces.",
    severity: "required",
    run: async ({ store, prefix }) => {
      for (const value of ["one", "twice", ""]) {
        await store.put(`${prefix}p`, text(value));
        checkSame(await readText(store, `${prefix}p`), value, "the object");
      }
    },
  },
  {
    name: "put-is-atomic",
    promise: "Readers of an object that is being replaced see the old one or the new one, whole.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const key = `${prefix}swap`;
      const versions = [0, 1, 2].map((seed) => pattern(200_000 + seed * 50_000, seed));
      await store.put(key, [versions[0]!]);
      let done = false;
      const readers = Array.from({ length: 4 }, async () => {
        while (!done) {
          const bytes = await store.get(key, undefined);
          check(bytes !== undefined, "the object was absent for a moment");
          const version = versions.find((candidate) => candidate.length === bytes.length);
          check(version !== undefined, "the object had a length that was never written");
          checkBytes(bytes, version, "the object while it was replaced");
        }
      });
      const writing = (async () => {
        for (let round = 1; round <= 20; round++) await store.put(key, [versions[round % 3]!]);
      })().finally(() => done = true);
      await all([writing, ...readers]);
    },
  },
  {
    name: "gather",
    promise: "A body in parts is written in their order, empty ones included.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const sizes = [0, 1, 0, 200_000, 3, 70_000, 70_000, 0, 300_000, 5, 0];
      const parts = sizes.map((size, seed) => pattern(size, seed));
      await store.putIfAbsent(`${prefix}created`, parts);
      await store.put(`${prefix}put`, parts);
      checkBytes(await store.get(`${prefix}created`, undefined), whole(parts), "what was created");
      checkBytes(await store.get(`${prefix}put`, undefined), whole(parts), "what was put");
    },
  },
  {
    name: "buffers-are-free",
    promise: "A body's buffers can be used again as soon as the call returns.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const body = pattern(10_000, 1);
      const before = body.slice();
      await store.putIfAbsent(`${prefix}mine`, [body]);
      body.fill(0);
      const got = await store.get(`${prefix}mine`, undefined);
      checkBytes(got, before, "the object");
      got!.fill(1);
      checkBytes(await store.get(`${prefix}mine`, undefined), before, "the object, read again");
    },
  },
  {
    name: "empty-object",
    promise: "An empty object is an object.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const [none, one] = [`${prefix}none`, `${prefix}one`];
      checkSame(await store.putIfAbsent(none, []), "created", "a create without parts");
      checkSame(await store.putIfAbsent(one, [new Uint8Array(0)]), "created", "with an empty part");
      checkSame((await store.get(none, undefined))?.length, 0, "its length");
      checkSame((await store.get(one, { start: 0, end: 10 }))?.length, 0, "a range of it");
      const sizes = (await collect(store.list(prefix, undefined))).map((info) => info.size);
      checkSame(sizes, [0, 0], "sizes in a listing");
    },
  },
  {
    name: "large-object",
    promise: "A large object comes back whole and in ranges.",
    severity: "required",
    run: async ({ store, prefix, sizes: { largeBytes } }) => {
      const key = `${prefix}large`;
      const part = pattern(MIB, 7);
      const parts = Array.from({ length: largeBytes / MIB }, () => part);
      checkSame(await store.putIfAbsent(key, parts), "created", "its creation");
      const all = await store.get(key, undefined);
      checkSame(all?.length, largeBytes, "its length");
      for (let at = 0; at < largeBytes; at += 99_989) {
        check(all![at] === part[at % MIB], `byte ${at} is another one`);
      }
      const middle = await store.get(key, { start: MIB - 5, end: MIB + 5 });
      const wanted = whole([part.subarray(-5), part.subarray(0, 5)]);
      checkBytes(middle, largeBytes > MIB ? wanted : wanted.subarray(0, 5), "a range within");
      const [info] = await collect(store.list(key, undefined));
      checkSame(info?.size, largeBytes, "its size in a listing");
    },
  },
  {
    name: "absent",
    promise: "Reading an absent key gives nothing, and is no error.",
    severity: "required",
    run: async ({ store, prefix }) => {
      checkSame(await store.get(`${prefix}no/such/key`, undefined), undefined, "an absent key");
      const range = { start: 0, end: 5 };
      checkSame(await store.get(`${prefix}no/such/key`, range), undefined, "a range of one");
      await store.put(`${prefix}here/object`, text("x"));
      for (const near of ["here", "here/object/below", "here/objec"]) {
        checkSame(await store.get(`${prefix}${near}`, undefined), undefined, `${near}`);
      }
    },
  },
  {
    name: "ranges",
    promise: "A range of an object is cut at its end, and empty behind it.",
    severity: "required",
    run: async ({ store, prefix }) => {
      await store.put(`${prefix}digits`, text("0123456789"));
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
      await all(cases.map(async ([start, end, wanted]) => {
        const bytes = await store.get(`${prefix}digits`, { start, end });
        checkSame(new TextDecoder().decode(bytes), wanted, `bytes ${start} to ${end}`);
      }));
    },
  },
  {
    name: "get-into",
    promise: "Reading into buffers fills them in order, and tells how far.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const key = `${prefix}filled`;
      if (store.getInto === undefined) throw new NotTestedError("the driver does not offer it");
      await store.put(key, text("0123456789"));
      const into = [new Uint8Array(3), new Uint8Array(4), new Uint8Array(8)];
      checkSame(await store.getInto(key, 1, into), 9, "bytes that were read");
      checkSame(new TextDecoder().decode(whole(into).subarray(0, 9)), "123456789", "those bytes");
      checkSame(await store.getInto(key, 2, [new Uint8Array(2)]), 2, "bytes of a short buffer");
      checkSame(await store.getInto(key, 10, [new Uint8Array(2)]), 0, "bytes behind the end");
      checkSame(await store.getInto(`${key}-not`, 0, [new Uint8Array(2)]), undefined, "absent");
    },
  },
  {
    name: "delete-many",
    promise: "A delete takes many keys at once; absent ones are fine.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const keys = Array.from({ length: 40 }, (_, at) => `${prefix}d/${at % 4}/${at}`);
      await all(keys.map((key) => store.put(key, text("x"))));
      await store.delete([...keys.slice(0, 39), `${prefix}d/none`, `${prefix}nowhere/at/all`]);
      checkSame(await keysOf(store, prefix), [keys[39]], "what is left");
      await store.delete([]);
      await store.delete([`${prefix}d/none`]);
      await store.delete([`${prefix}d/none`, `${prefix}d/none`]);
    },
  },
];
