import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { readBody, writeInSteps } from "../../../drivers/storage/file/body.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import {
  SCRATCH_BYTES,
  SMALL_PART_BYTES,
  SYNC_AT_ONCE_BYTES_MAX,
  SYNC_STEP_BYTES,
} from "../../../drivers/storage/file/settings.ts";

/** A file that only notes what is done with it. */
function notedFile(sync: () => Promise<void> = () => Promise.resolve()) {
  const calls: (number | "sync" | "others")[] = [];
  const write = (bytes: Uint8Array) => {
    calls.push(bytes.length);
    return Promise.resolve(bytes.length);
  };
  const syncData = () => {
    calls.push("sync");
    return sync();
  };
  return { calls, file: { write, syncData } as unknown as Deno.FsFile };
}

const STEP = new Uint8Array(SYNC_STEP_BYTES);

Deno.test("writeInSteps() syncs each step, after others had their turn", async () => {
  const { calls, file } = notedFile();
  const others = () => {
    calls.push("others");
    return Promise.resolve();
  };
  await writeInSteps(file, [new Uint8Array(32), STEP, STEP, new Uint8Array(16)], others);
  const first = ["others", 32, SYNC_STEP_BYTES, "sync"];
  assertEquals(calls, [...first, "others", SYNC_STEP_BYTES, "sync", "others", 16, "sync"]);
});

Deno.test("writeInSteps() ends at a step that cannot be made durable", async () => {
  const { calls, file } = notedFile(() => Promise.reject(new Error("EIO")));
  const error = await assertRejects(
    () => writeInSteps(file, [STEP, STEP], () => undefined),
    StoreError,
  );
  assertEquals(error.outcome, "fatal");
  assertEquals(calls, [SYNC_STEP_BYTES, "sync"]);
});

Deno.test("putIfAbsent() stores a body whole that is written in steps beside others", async () => {
  const dir = await Deno.makeTempDir({ prefix: "kafscale-steps-" });
  const store = await openFileStore({ dir });
  try {
    const steps = SYNC_AT_ONCE_BYTES_MAX / SYNC_STEP_BYTES + 1;
    const parts = Array.from({ length: steps }, (_, at) => STEP.slice().fill(at));
    const small = Array.from(
      { length: 20 },
      (_, at) => store.putIfAbsent(`small/${at}`, [new Uint8Array(100).fill(at)]),
    );
    const large = store.putIfAbsent("large", [new Uint8Array([7]), ...parts]);
    assertEquals(new Set(await Promise.all([...small, large])), new Set(["created"]));
    const found = (await store.get("large", undefined))!;
    assertEquals(found.length, 1 + steps * SYNC_STEP_BYTES);
    for (let at = 0; at < steps; at++) {
      const start = 1 + at * SYNC_STEP_BYTES;
      assert(found.subarray(start, start + SYNC_STEP_BYTES).every((byte) => byte === at));
    }
    assertEquals(await store.get("small/19", undefined), new Uint8Array(100).fill(19));
  } finally {
    await store.close();
    await Deno.remove(dir, { recursive: true });
  }
});

/** A file of `size` bytes, each told by its position; a call gives at most `most` of them. */
function readFile(size: number, most = Infinity) {
  const calls: number[] = [];
  let at = 0;
  const read = (into: Uint8Array) => {
    calls.push(into.length);
    const length = Math.min(into.length, size - at, most);
    for (let i = 0; i < length; i++) into[i] = (at + i) % 251;
    at += length;
    return Promise.resolve(length === 0 ? null : length);
  };
  return { calls, file: { read } as unknown as Deno.FsFile };
}

/** Buffers of these lengths, none beside another in memory. */
const buffersOf = (lengths: readonly number[]) => lengths.map((length) => new Uint8Array(length));

function expectRead(into: readonly Uint8Array[], total: number): void {
  let at = 0;
  for (const part of into) {
    const there = Math.max(0, Math.min(part.length, total - at));
    assert(part.subarray(0, there).every((byte, index) => byte === (at + index) % 251));
    assert(part.subarray(there).every((byte) => byte === 0));
    at += part.length;
  }
}

Deno.test("readBody() reads small neighbours together, and large parts where they go", async () => {
  const small = SMALL_PART_BYTES / 4;
  const { calls, file } = readFile(Infinity);
  const into = buffersOf([2 * SMALL_PART_BYTES, small, small, small, SMALL_PART_BYTES, 9]);
  const all = into.reduce((sum, part) => sum + part.length, 0);
  assertEquals(await readBody(file, into), all);
  assertEquals(calls, [2 * SMALL_PART_BYTES, 3 * small, SMALL_PART_BYTES, 9]);
  expectRead(into, all);
  const many = buffersOf(Array.from({ length: 20 }, () => small));
  assertEquals(await readBody(file, []), 0);
  const next = readFile(Infinity);
  assertEquals(await readBody(next.file, many), 20 * small);
  assertEquals(next.calls, [SCRATCH_BYTES, SCRATCH_BYTES, 20 * small - 2 * SCRATCH_BYTES]);
  expectRead(many, 20 * small);
});

Deno.test("readBody() goes as far as the file, however little comes at a time", async () => {
  const lengths = [1_000, 2_000, SMALL_PART_BYTES, 3_000, 500, 700];
  for (const size of [0, 500, 1_000, 2_500, 3_000 + SMALL_PART_BYTES, 6_200 + SMALL_PART_BYTES]) {
    for (const most of [Infinity, 777]) {
      const into = buffersOf(lengths);
      assertEquals(await readBody(readFile(size, most).file, into), size);
      expectRead(into, size);
    }
  }
});
