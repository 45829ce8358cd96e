/** What the create journals promise: nothing acknowledged is lost, nothing deleted comes back. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { readGeneration, readRecords } from "../../../drivers/storage/file/journal_format.ts";
import { JOURNAL_NAMES } from "../../../drivers/storage/file/settings.ts";
import {
  assertHolds,
  body,
  inFolder,
  keysOf,
  KIB,
  opening,
  powerCut,
  recordsIn,
  small,
  tiny,
  warm,
} from "./journal_folder.ts";

Deno.test("a power cut that breaks files loses no acknowledged small object", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1` });
    await warm(store, `${dir}/1`);
    for (let n = 0; n < 200; n++) await store.putIfAbsent(`w/${n}`, body(n));
    await powerCut(`${dir}/1`, `${dir}/2`);
    await store.close();
    await Deno.mkdir(`${dir}/2/w`);
    await Deno.writeTextFile(`${dir}/2/w/3`, "");
    await Deno.writeTextFile(`${dir}/2/w/4`, "garbage");
    const tool = await openFileStore({ dir: `${dir}/2`, readOnly: true });
    await assertHolds(tool, "w/4", 4);
    await tool.close();
    for (let round = 0; round < 2; round++) {
      const again = await openFileStore({ dir: `${dir}/2` });
      for (let n = 0; n < 200; n++) await assertHolds(again, `w/${n}`, n);
      assertEquals((await keysOf(again)).length, 200);
      assertEquals(await again.putIfAbsent("w/4", body(9)), "exists");
      await again.close();
      assertEquals((await recordsIn(`${dir}/2/.journal/a`)).records.length, 0);
    }
  });
});

Deno.test("a tail torn at any byte takes the last record and no other", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1`, journal: small });
    await warm(store, `${dir}/1`);
    for (let n = 0; n < 3; n++) await store.putIfAbsent(`w/${n}`, body(n + 1, 9));
    await powerCut(`${dir}/1`, `${dir}/2`);
    await store.close();
    const whole = await Deno.readFile(`${dir}/2/.journal/a`);
    const { records, end } = readRecords(whole, 1);
    const last = end - 48;
    assertEquals(records.length, 3);
    for (let cut = last; cut < end; cut++) {
      if (whole.subarray(cut, end).every((byte) => byte === 0)) break;
      const to = `${dir}/cut-${cut}`;
      await Deno.mkdir(`${to}/.journal`, { recursive: true });
      await Deno.writeFile(`${to}/.journal/a`, whole.slice().fill(0, cut, end));
      const again = await openFileStore({ dir: to });
      assertEquals(await keysOf(again), ["w/0", "w/1"], String(cut));
      await again.putIfAbsent("w/5", body(5));
      assertEquals(await keysOf(again), ["w/0", "w/1", "w/5"]);
      await again.close();
    }
  });
});

Deno.test("deleted objects stay dead after a replay, replaced ones keep new bytes", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1` });
    await warm(store, `${dir}/1`);
    for (let n = 0; n < 6; n++) await store.putIfAbsent(`w/${n}`, body(n));
    await store.delete(["w/0", "w/1", "w/2", "w/9"]);
    assertEquals(await store.get("w/0", undefined), undefined);
    await store.putIfAbsent("w/1", body(11));
    await store.putIfAbsent("w/2", body(12, 200 * KIB));
    await store.put("w/3", body(13));
    await powerCut(`${dir}/1`, `${dir}/2`);
    await Deno.mkdir(`${dir}/2/w`);
    for (const n of [2, 3]) await Deno.copyFile(`${dir}/1/w/${n}`, `${dir}/2/w/${n}`);
    await Deno.writeTextFile(`${dir}/2/w/0`, "half deleted");
    await store.close();
    for (const at of ["1", "2"]) {
      const again = await openFileStore({ dir: `${dir}/${at}` });
      assertEquals((await keysOf(again)).filter((key) => key.startsWith("w/")), [
        "w/1",
        "w/2",
        "w/3",
        "w/4",
        "w/5",
      ]);
      await assertHolds(again, "w/1", 11);
      await assertHolds(again, "w/2", 12, 200 * KIB);
      await assertHolds(again, "w/3", 13);
      await again.close();
    }
  });
});

Deno.test("journals are checkpointed and used again, and old generations stay void", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1`, journal: tiny });
    await warm(store, `${dir}/1`);
    for (let n = 0; n < 3000; n++) {
      assertEquals(await store.putIfAbsent(`w/${n}`, body(n)), "created");
      if (n % 3 === 0) await store.delete([`w/${n}`]);
      if (n % 500 === 0) {
        const to = `${dir}/cut-${n}`;
        await powerCut(`${dir}/1`, to);
        const again = await openFileStore({ dir: to });
        for (const key of await keysOf(again)) {
          const at = Number(key.slice(2));
          assert(at <= n && at % 3 !== 0, `${key} came back at ${n}`);
          await assertHolds(again, key, at);
        }
        await again.close();
      }
    }
    const generations = [];
    for (const name of JOURNAL_NAMES) {
      generations.push(readGeneration(await Deno.readFile(`${dir}/1/.journal/${name}`))!);
    }
    assert(generations.every((generation) => generation > 1), String(generations));
    await store.close();
    const again = await openFileStore({ dir: `${dir}/1` });
    for (let n = 0; n < 3000; n++) {
      const found = await again.get(`w/${n}`, undefined);
      assertEquals(found, n % 3 === 0 ? undefined : body(n)[0], String(n));
    }
    await again.close();
  });
});

Deno.test("with all journals full creates go without, and nothing waits", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: small });
    await warm(store, dir);
    const creates: Promise<string>[] = [];
    for (let n = 0; n < 100; n++) creates.push(store.putIfAbsent(`w/${n}`, body(n, 10 * KIB)));
    assert((await Promise.all(creates)).every((outcome) => outcome === "created"));
    for (let n = 0; n < 100; n++) await assertHolds(store, `w/${n}`, n, 10 * KIB);
    await store.delete(Array.from({ length: 100 }, (_, n) => `w/${n}`));
    assertEquals(await keysOf(store), ["warm/0"]);
    await store.close();
  });
});

Deno.test("one of many rivals for a key wins, and its bytes stay through a replay", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir: `${dir}/1` });
    await warm(store, `${dir}/1`);
    const rivals = Array.from({ length: 20 }, (_, n) => store.putIfAbsent("w/key", body(n)));
    const won = (await Promise.all(rivals)).flatMap((outcome, n) => outcome === "created" ? n : []);
    assertEquals(won.length, 1);
    await powerCut(`${dir}/1`, `${dir}/2`);
    await store.close();
    const again = await openFileStore({ dir: `${dir}/2` });
    await assertHolds(again, "w/key", won[0]!);
    await again.close();
  });
});

Deno.test("a failing fdatasync acknowledges nothing, and later creates go without", async () => {
  await inFolder(async (dir) => {
    let failing = false;
    const open = opening((_, file) => ({
      syncData: () => failing ? Promise.reject(new Error("EIO")) : file.syncData(),
    }));
    const store = await openFileStore({ dir, journal: { ...small, open } });
    await warm(store, dir);
    await store.putIfAbsent("w/before", body(1));
    failing = true;
    const error = await assertRejects(() => store.putIfAbsent("w/lost", body(2)), StoreError);
    assertEquals(error.outcome, "fatal");
    assertEquals(await store.get("w/lost", undefined), undefined);
    assertEquals(await store.putIfAbsent("w/after", body(3)), "created");
    assert((await Deno.stat(`${dir}/w/after`)).isFile, "without the journal");
    await store.close();
    const again = await openFileStore({ dir });
    await assertHolds(again, "w/before", 1);
    await assertHolds(again, "w/after", 3);
    await again.close();
  });
});

Deno.test("a second writer and a damaged journal are refused in one sentence", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: small });
    await warm(store, dir);
    const second = await assertRejects(() => openFileStore({ dir }), StoreError);
    assert(second.message.includes("another process writes"), second.message);
    await store.close();
    const journal = await Deno.readFile(`${dir}/.journal/a`);
    await Deno.writeFile(`${dir}/.journal/a`, journal.fill(0, 0, 8192));
    const damaged = await assertRejects(() => openFileStore({ dir }), StoreError);
    assertEquals(damaged.outcome, "fatal");
    assert(damaged.message.includes("damaged"), damaged.message);
  });
});

const CHILD = `
import { openFileStore } from ${
  JSON.stringify(new URL("../../../drivers/storage/file/driver.ts", import.meta.url).href)
};
const store = await openFileStore({ dir: Deno.args[0], journal: { bytes: 256 * 1024 } });
let next = 0;
const worker = async () => {
  for (;;) {
    const n = next++;
    await store.putIfAbsent("w/" + n, [new Uint8Array(100).fill(n)]);
    await Deno.stdout.write(new TextEncoder().encode(n + "\\n"));
  }
};
await Promise.all([worker(), worker(), worker()]);
`;

Deno.test("kill -9 after thousands of small creates loses none of them", async () => {
  await inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/child.ts`, CHILD);
    const config = new URL("../../../deno.json", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, `${dir}/child.ts`, `${dir}/data`],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reported: number[] = [];
    let rest = "";
    let killed = false;
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) reported.push(Number(line));
      if (reported.length < 4000 || killed) continue;
      killed = true;
      child.kill("SIGKILL");
    }
    await child.status;
    const store = await openFileStore({ dir: `${dir}/data` });
    for (const n of reported) await assertHolds(store, `w/${n}`, n);
    await store.close();
  });
});

Deno.test("a read-only store sees at each listing what another one has written", () =>
  inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: small });
    await warm(store, dir);
    const reader = await openFileStore({ dir, readOnly: true });
    for (let at = 0; at < 40; at++) {
      // some 30 of them fill a journal, so that checkpoints go on meanwhile
      await store.putIfAbsent(`k/${String(at).padStart(3, "0")}`, body(at, 2 * KIB));
      if (at % 3 === 2) await store.delete([`k/${String(at - 2).padStart(3, "0")}`]);
      assertEquals(await keysOf(reader), await keysOf(store));
      await assertHolds(reader, `k/${String(at).padStart(3, "0")}`, at, 2 * KIB);
    }
    await reader.close();
    await store.close();
  }));

Deno.test("a store tells what its journals keep in memory", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: small });
    assertEquals(store.heldBytes, 0);
    await warm(store, dir);
    let highest = 0;
    for (let at = 0; at < 200; at++) {
      await store.putIfAbsent(`held/${at}`, body(at, 1_000));
      highest = Math.max(highest, store.heldBytes!);
    }
    assert(
      highest > 20 * KIB && highest <= JOURNAL_NAMES.length * small.bytes,
      `${highest} bytes at most`,
    );
    await store.close();
    const reader = await openFileStore({ dir, readOnly: true });
    assertEquals(reader.heldBytes, 0);
    await reader.close();
  });
});
