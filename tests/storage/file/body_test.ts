import { assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { writeInSteps } from "../../../drivers/storage/file/body.ts";
import { SYNC_STEP_BYTES } from "../../../drivers/storage/file/settings.ts";

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
