import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { writeInSteps } from "../../../drivers/storage/file/body.ts";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { SYNC_AT_ONCE_BYTES_MAX, SYNC_STEP_BYTES } from "../../../drivers/storage/file/settings.ts";

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
