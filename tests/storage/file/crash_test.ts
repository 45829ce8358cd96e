/** A killed process leaves whole objects and temporary files, and the next start sweeps those. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { StoreError } from "../../../core/storage/object_store.ts";

const BODY_BYTES = 3 * 1024 * 1024;

const CHILD = `
import { openFileStore } from ${
  JSON.stringify(new URL("../../../drivers/storage/file/driver.ts", import.meta.url).href)
};
const store = await openFileStore({ dir: Deno.args[0] });
const part = new Uint8Array(${BODY_BYTES / 3}).fill(7);
let next = 0;
const worker = async () => {
  for (;;) {
    const transient = next % 2 === 0;
    const key = "wal/" + String(next++).padStart(8, "0");
    const outcome = await store.putIfAbsent(key, [part, part, part], { transient });
    if (outcome !== "created") throw new Error(key);
    await Deno.stdout.write(new TextEncoder().encode(key + "\\n"));
  }
};
await Promise.all([worker(), worker(), worker()]);
`;

Deno.test("kill -9 during creates leaves no partial object and loses no reported one", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-kill-" });
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(script, CHILD);
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  try {
    const reported: string[] = [];
    for (let round = 0; round < 3; round++) {
      const folder = `${dir}/${round}`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--config", config, script, folder],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      reported.length = 0;
      let rest = "";
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop()!;
        reported.push(...lines);
        if (reported.length >= 8 + round) {
          try {
            child.kill("SIGKILL");
          } catch {
            // killed already
          }
        }
      }
      await child.status;
      // one more temporary file, as if the kill had come between open and write
      await Deno.writeTextFile(`${folder}/.tmp/left-over`, "x");
      const store = await openFileStore({ dir: folder });
      const keys: string[] = [];
      for await (const { key, size } of store.list("", undefined)) {
        assertEquals(size, BODY_BYTES, key);
        const bytes = await store.get(key, undefined);
        assert(bytes!.every((byte) => byte === 7), key);
        keys.push(key);
      }
      for (const key of reported) assert(keys.includes(key), `${key} was reported and is gone`);
      await store.close();
      assertEquals([...Deno.readDirSync(`${folder}/.tmp`)].map((entry) => entry.name), []);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
    await Deno.remove(script);
  }
});

Deno.test("openFileStore() says in one sentence what to do where it cannot write", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-open-" });
  try {
    await Deno.writeTextFile(`${dir}/file`, "x");
    const error = await assertRejects(() => openFileStore({ dir: `${dir}/file/data` }), StoreError);
    assertEquals(error.outcome, "fatal");
    assert(error.message.includes(`${dir}/file/data`), error.message);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a read-only store reads, refuses writes, and leaves temporary files alone", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-ro-" });
  try {
    const writer = await openFileStore({ dir });
    await writer.putIfAbsent("a/b", [new Uint8Array([1, 2, 3])]);
    await writer.close();
    await Deno.writeTextFile(`${dir}/.tmp/of-the-writer`, "x");
    const store = await openFileStore({ dir, readOnly: true });
    assertEquals(await store.get("a/b", { start: 1, end: 2 }), new Uint8Array([2]));
    const error = await assertRejects(() => store.put("a/b", []), StoreError);
    assertEquals(error.outcome, "fatal");
    await store.close();
    assertEquals((await Deno.lstat(`${dir}/.tmp/of-the-writer`)).isFile, true);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("folders are removed with their last object", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-prune-" });
  try {
    const store = await openFileStore({ dir });
    await store.put("ns/topic/0/a", []);
    await store.put("ns/topic/1/a", []);
    await store.put("ns/other/0/a", []);
    await store.delete(["ns/topic/0/a", "ns/topic/1/a"]);
    assertEquals([...Deno.readDirSync(`${dir}/ns`)].map((entry) => entry.name), ["other"]);
    await store.put("ns/topic/0/a", []);
    assertEquals((await store.get("ns/topic/0/a", undefined))?.length, 0);
    await store.close();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
