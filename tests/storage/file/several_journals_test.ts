/** What becomes of objects whose journal is not the one in use any more. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { readGeneration } from "../../../drivers/storage/file/journal_format.ts";
import {
  assertHolds,
  body,
  fill,
  inFolder,
  keysOf,
  KIB,
  powerCut,
  small,
  tiny,
  warm,
} from "./journal_folder.ts";

Deno.test("what is deleted while a journal is left never becomes a file", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1`, journal: small });
    await warm(store, `${dir}/1`);
    // A journal takes some 45 of them.
    await fill(store, 120);
    await store.delete(Array.from({ length: 80 }, (_, n) => `w/${n}`));
    await powerCut(`${dir}/1`, `${dir}/2`);
    const again = await openFileStore({ dir: `${dir}/2` });
    assertEquals((await keysOf(again)).filter((key) => key.startsWith("w/")).length, 40);
    for (let n = 80; n < 120; n++) await assertHolds(again, `w/${n}`, n, KIB);
    await again.close();
    // Those that have nothing left are used again.
    for (let n = 120; n < 400; n++) {
      await store.putIfAbsent(`w/${n}`, body(n, KIB));
      await store.delete([`w/${n - 40}`]);
    }
    assertEquals([...Deno.readDirSync(`${dir}/1/w`)], []);
    await store.close();
  });
});

Deno.test("where the disk has no room for another journal those that there are do", async () => {
  await inFolder(async (dir) => {
    const open = (path: string, options: Deno.OpenOptions) =>
      path.endsWith("/c.new") ? Promise.reject(new Error("ENOSPC")) : Deno.open(path, options);
    const store = await openFileStore({ dir, journal: { ...tiny, open } });
    await warm(store, dir);
    for (let n = 0; n < 1_000; n++) {
      assertEquals(await store.putIfAbsent(`w/${n}`, body(n)), "created");
      if (n >= 10) await store.delete([`w/${n - 10}`]);
    }
    for (const name of ["a", "b"]) {
      assert(readGeneration(await Deno.readFile(`${dir}/.journal/${name}`))! > 1, name);
    }
    for (let n = 990; n < 1_000; n++) await assertHolds(store, `w/${n}`, n);
    await store.close();
  });
});

Deno.test("what an older journal holds is read from the disk, whatever becomes of it", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1`, journal: small });
    await warm(store, `${dir}/1`);
    await fill(store, 150);
    assert(store.heldBytes! < small.bytes, `${store.heldBytes} bytes in memory`);
    assertEquals(await store.putIfAbsent("w/3", body(99)), "exists");
    await store.put("w/4", body(4, 2 * KIB));
    await powerCut(`${dir}/1`, `${dir}/2`);
    await Deno.mkdir(`${dir}/2/w`);
    await Deno.copyFile(`${dir}/1/w/4`, `${dir}/2/w/4`);
    const again = await openFileStore({ dir: `${dir}/2` });
    for (const at of [store, again]) {
      for (let n = 0; n < 150; n++) await assertHolds(at, `w/${n}`, n, n === 4 ? 2 * KIB : KIB);
      const into = [new Uint8Array(100), new Uint8Array(300)];
      assertEquals(await at.getInto!("w/5", 800, into), 224);
      assertEquals([into[0]![0], into[1]![123], into[1]![124]], [5, 5, 0]);
      assertEquals(await at.get("w/6", { start: 1_000, end: 2_000 }), body(6, 24)[0]);
    }
    const journal = await Deno.readFile(`${dir}/1/.journal/a`);
    await Deno.writeFile(`${dir}/1/.journal/a`, journal.fill(1, 10_000, 12_000));
    const damaged = await assertRejects(() => store.get("w/1", undefined), StoreError);
    assert(damaged.message.includes("damaged"), damaged.message);
    await store.delete(Array.from({ length: 150 }, (_, n) => `w/${n}`));
    for (const at of [again, store]) await at.close();
  });
});

Deno.test("readers find what they look for while journals become files, and new ones", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: tiny });
    await warm(store, dir);
    let made = 0;
    let reads = 0;
    const make = async () => {
      for (; made < 4_000; made++) await store.putIfAbsent(`w/${made}`, body(made));
    };
    const read = async (step: number) => {
      for (let n = 0; made < 4_000; n += step, reads++) {
        const at = n % Math.max(1, made - 1);
        if (at < made) await assertHolds(store, `w/${at}`, at);
        // What is in memory comes without a turn of the event loop.
        if (reads % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
    };
    await Promise.all([make(), read(1), read(7), read(131)]);
    assert(reads > 1_000, `${reads} reads`);
    await store.close();
  });
});
