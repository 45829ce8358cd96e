/** What the volumes promise: what the store promises, though many objects share a file. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { objectStoreConformance } from "../../conformance/object_store.ts";
import {
  assertHolds,
  body,
  inFolder,
  keysOf,
  KIB,
  NOT_OF_FILES,
  opening,
  powerCut,
} from "./journal_folder.ts";

/** Nothing fits into such a journal. */
const NO_JOURNAL = { bytes: 8 * KIB } as const;
const SETUP = { journal: { ...NO_JOURNAL, volumeBytes: 64 * KIB } } as const;
const KEY = { transient: true } as const;

objectStoreConformance("file, in volumes", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-volumes-" });
  const store = await openFileStore({ dir, ...SETUP });
  const { putIfAbsent } = store;
  store.putIfAbsent = (key, body, options) =>
    putIfAbsent.call(store, key, body, { ...options, ...KEY });
  return { store, dispose: () => Deno.remove(dir, { recursive: true }) };
}, { skip: NOT_OF_FILES });

function volumesIn(dir: string): string[] {
  const names = [...Deno.readDirSync(`${dir}/.journal`)].map(({ name }) => name);
  return names.filter((name) => name.startsWith("volume-")).sort();
}

/** Where the oldest one lies. */
function firstVolumeIn(dir: string): string {
  return `${dir}/.journal/${volumesIn(dir)[0]}`;
}

/** Creates w/`from` to w/`to` - 1 of `bytes` each. */
async function create(store: ObjectStore, from: number, to: number, bytes = 5_000) {
  for (let n = from; n < to; n++) {
    assertEquals(await store.putIfAbsent(`w/${n}`, body(n, bytes), KEY), "created");
  }
}

function keys(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => `w/${from + at}`);
}

Deno.test("objects of volumes have no files, and the volumes go with the last of them", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir, ...SETUP });
    await create(store, 0, 40);
    // Seven of 8 KiB fit behind the header's 4.
    assertEquals(volumesIn(dir).length, 6);
    assertEquals([...Deno.readDirSync(`${dir}/w`)], []);
    assertEquals(await store.putIfAbsent("w/3", body(9), KEY), "exists");
    assertEquals(await store.putIfAbsent("w/3", body(9)), "exists");
    for (let n = 0; n < 40; n++) await assertHolds(store, `w/${n}`, n, 5_000);
    assertEquals(await store.get("w/7", { start: 4_990, end: 9_000 }), body(7, 10)[0]);
    const into = [new Uint8Array(100), new Uint8Array(300), new Uint8Array(9)];
    assertEquals(await store.getInto!("w/8", 4_800, into), 200);
    assertEquals([into[0]![0], into[1]![99], into[1]![100]], [8, 8, 0]);
    await store.delete(keys(0, 9));
    assertEquals(volumesIn(dir).length, 5);
    assertEquals(await keysOf(store), keys(9, 40).sort());
    await store.delete(keys(9, 40));
    assertEquals(volumesIn(dir).length, 1, "the one that goes on");
    assertEquals(await store.putIfAbsent("w/3", body(33, 5_000), KEY), "created");
    await assertHolds(store, "w/3", 33, 5_000);
    await store.close();
    const again = await openFileStore({ dir, ...SETUP });
    assertEquals(await keysOf(again), ["w/3"]);
    await assertHolds(again, "w/3", 33, 5_000);
    await again.delete(["w/3"]);
    assertEquals(volumesIn(dir), []);
    await again.close();
  }));

Deno.test("a power cut at any time takes nothing that was there, and brings nothing back", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/0`, ...SETUP });
    let deleted = 0;
    for (let n = 0; n < 60; n++) {
      await create(store, n, n + 1);
      if (n % 3 === 2) await store.delete(keys(deleted, deleted += 2));
      if (n % 7 !== 0) continue;
      await powerCut(`${dir}/0`, `${dir}/cut`);
      for (const readOnly of [true, false]) {
        const again = await openFileStore({ dir: `${dir}/cut`, ...SETUP, readOnly });
        assertEquals(await keysOf(again), keys(deleted, n + 1).sort());
        for (let at = deleted; at <= n; at++) await assertHolds(again, `w/${at}`, at, 5_000);
        await again.close();
      }
      await Deno.remove(`${dir}/cut`, { recursive: true });
    }
    await store.close();
  }));

Deno.test("a record torn anywhere is no object, and all before it are", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/0`, ...SETUP });
    await create(store, 0, 4);
    await powerCut(`${dir}/0`, `${dir}/cut`);
    await store.close();
    const path = firstVolumeIn(`${dir}/cut`);
    const whole = await Deno.readFile(path);
    const start = 4 * KIB + 3 * 8 * KIB;
    assert(whole.length > start + 5_000 && whole.length < start + 5_100, `${whole.length} bytes`);
    for (const cut of [0, 1, 4, 8, 23, 24, 27, 28, 29, 4_095, 4_096, 5_000, 5_026]) {
      for (const shorter of [true, false]) {
        const torn = shorter ? whole.slice(0, start + cut) : whole.slice().fill(0, start + cut);
        await Deno.writeFile(path, torn);
        const again = await openFileStore({ dir: `${dir}/cut`, ...SETUP, readOnly: true });
        assertEquals(await keysOf(again), keys(0, 3), `cut at ${cut}`);
        await again.close();
      }
    }
    await Deno.writeFile(path, whole);
    const again = await openFileStore({ dir: `${dir}/cut`, ...SETUP, readOnly: true });
    assertEquals(await keysOf(again), keys(0, 4));
    await again.close();
  }));

Deno.test("damage before what is whole, or in the header, stops the start in one sentence", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir, ...SETUP });
    await create(store, 0, 5);
    await store.close();
    const path = firstVolumeIn(dir);
    const whole = await Deno.readFile(path);
    for (const at of [0, 12, 4 * KIB, 12 * KIB + 9, 20 * KIB + 25]) {
      const damaged = whole.slice();
      damaged[at]! ^= 1;
      await Deno.writeFile(path, damaged);
      for (const readOnly of [true, false]) {
        const error = await assertRejects(() => openFileStore({ dir, readOnly }), StoreError);
        assertEquals(error.outcome, "fatal");
        assert(/volume-0000000000 is damaged at \d+: restore it/.test(error.message), `${error}`);
      }
    }
    // A header that was never whole has nothing behind it.
    await Deno.writeFile(path, whole.subarray(0, 7));
    const again = await openFileStore({ dir });
    assertEquals(await keysOf(again), []);
    assertEquals(volumesIn(dir), []);
    await again.close();
  }));

Deno.test("what a client wrote never passes for a record", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/0`, ...SETUP });
    await create(store, 0, 2);
    await powerCut(`${dir}/0`, `${dir}/1`);
    const record = await Deno.readFile(firstVolumeIn(`${dir}/1`));
    await store.close();
    // Another volume's record, at each place where one could begin.
    const other = await openFileStore({ dir: `${dir}/2`, ...SETUP });
    const copied = new Uint8Array(40 * KIB);
    const head = 4 * KIB;
    for (let at = head - 27; at < copied.length - 40; at += 4 * KIB) {
      copied.set(record.subarray(head, head + 40), at);
    }
    await other.putIfAbsent("w/9", [copied], KEY);
    await powerCut(`${dir}/2`, `${dir}/3`);
    await other.close();
    const path = firstVolumeIn(`${dir}/3`);
    const torn = await Deno.readFile(path);
    assertEquals(torn.subarray(2 * head, 2 * head + 4), record.subarray(head, head + 4));
    await Deno.writeFile(path, torn.fill(0, head, head + 4));
    const again = await openFileStore({ dir: `${dir}/3` });
    assertEquals(await keysOf(again), []);
    await again.close();
  }));

Deno.test("an object of a volume that is put again is the new one, whenever the power fails", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/0`, ...SETUP });
    await create(store, 0, 3);
    await powerCut(`${dir}/0`, `${dir}/1`);
    await store.put("w/1", body(77, 50));
    await powerCut(`${dir}/0`, `${dir}/2`);
    await assertHolds(store, "w/1", 77, 50);
    await store.close();
    for (const [at, key] of [[1, 1], [2, 77]] as const) {
      // The file is there in both: the first was cut before the volume's object was deleted.
      await Deno.mkdir(`${dir}/${at}/w`);
      await Deno.writeFile(`${dir}/${at}/w/1`, body(key, key === 1 ? 5_000 : 50)[0]!);
      const again = await openFileStore({ dir: `${dir}/${at}`, ...SETUP });
      assertEquals(await keysOf(again), keys(0, 3));
      await assertHolds(again, "w/1", key, key === 1 ? 5_000 : 50);
      await again.delete(["w/1"]);
      assertEquals(await again.get("w/1", undefined), undefined);
      await again.close();
      const later = await openFileStore({ dir: `${dir}/${at}`, ...SETUP });
      assertEquals(await keysOf(later), ["w/0", "w/2"]);
      await later.close();
    }
  }));

Deno.test("a failed sync acknowledges nothing; the next create goes on in another volume", () =>
  inFolder(async (dir) => {
    let failing = false;
    const broken = Object.assign(new Error("broken"), { code: "EIO" });
    const open = opening((path, file) =>
      path.includes("volume-0000000000")
        ? { syncData: () => failing ? Promise.reject(broken) : file.syncData() }
        : {}
    );
    const store = await openFileStore({ dir, journal: { ...SETUP.journal, open } });
    await create(store, 0, 2);
    failing = true;
    const error = await assertRejects(() => store.putIfAbsent("w/2", body(2, 5_000), KEY));
    assertEquals((error as StoreError).outcome, "fatal");
    assertEquals(await store.get("w/2", undefined), undefined);
    await create(store, 2, 4);
    assertEquals(volumesIn(dir).length, 2);
    await store.delete(["w/2"]);
    await store.close();
    const again = await openFileStore({ dir, ...SETUP });
    assertEquals(await keysOf(again), ["w/0", "w/1", "w/3"]);
    await again.close();
  }));

Deno.test("what could not be taken back may be there: its key is left alone", () =>
  inFolder(async (dir) => {
    let failing = false;
    const failed = () => Promise.reject(new Error("EIO"));
    const open = opening((path, file) =>
      path.includes("volume-")
        ? {
          write: (bytes) => failing ? failed() : file.write(bytes),
          truncate: (length) => failing ? failed() : file.truncate(length),
        }
        : {}
    );
    const store = await openFileStore({ dir, journal: { ...SETUP.journal, open } });
    await create(store, 0, 1, 100 * KIB);
    failing = true;
    await assertRejects(() => store.putIfAbsent("w/1", body(1, 100 * KIB), KEY), StoreError);
    failing = false;
    const error = await assertRejects(() => store.putIfAbsent("w/1", body(1), KEY), StoreError);
    assert(error.message.includes("restart the broker"), error.message);
    await create(store, 2, 3, 100 * KIB);
    await store.close();
    const again = await openFileStore({ dir, ...SETUP });
    assertEquals(await keysOf(again), ["w/0", "w/2"]);
    await create(again, 1, 2);
    await again.close();
  }));

Deno.test("where no volume can be made objects have files", () =>
  inFolder(async (dir) => {
    const open = (path: string, options: Deno.OpenOptions) =>
      path.includes("volume-") ? Promise.reject(new Error("ENOSPC")) : Deno.open(path, options);
    const store = await openFileStore({ dir, journal: { ...SETUP.journal, open } });
    await create(store, 0, 3);
    assertEquals([...Deno.readDirSync(`${dir}/w`)].length, 3);
    await store.delete(keys(0, 3));
    assertEquals(await keysOf(store), []);
    await store.close();
  }));

Deno.test("many creates, reads and deletes beside each other see whole objects or none", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir, ...SETUP });
    let made = 0;
    let gone = 0;
    let reads = 0;
    const make = async (from: number) => {
      for (let n = from; n < 600; n += 3) {
        await create(store, n, n + 1);
        made = Math.max(made, n);
        const upTo = n - 60;
        if (from === 0 && upTo > gone) await store.delete(keys(gone, gone = upTo));
      }
    };
    const read = async (step: number) => {
      for (let n = 0; made < 590; n += step, reads++) {
        const at = gone + n % Math.max(1, made - gone);
        const found = await store.get(`w/${at}`, undefined);
        if (found !== undefined) assertEquals(found, body(at, 5_000)[0]);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    };
    await Promise.all([make(0), make(1), make(2), read(1), read(7), read(31)]);
    assert(reads > 100, `${reads} reads`);
    const reader = await openFileStore({ dir, readOnly: true });
    assertEquals(await keysOf(reader), await keysOf(store));
    for (const key of await keysOf(reader)) {
      await assertHolds(reader, key, Number(key.slice(2)), 5_000);
    }
    assert(volumesIn(dir).length <= 16, `${volumesIn(dir).length} volumes`);
    await reader.close();
    await store.close();
  }));
