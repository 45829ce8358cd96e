import { assertEquals, assertRejects } from "@std/assert";
import { firstAnswer } from "../../core/metadata/metadata_check.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

Deno.test("firstAnswer() passes the answer on, nothing included", async () => {
  const runtime = manualRuntime();
  assertEquals(await firstAnswer(runtime, Promise.resolve("id")), "id");
  assertEquals(await firstAnswer(runtime, Promise.resolve(undefined)), undefined);
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("firstAnswer() says in one sentence why there is none, within 15 s", async () => {
  const runtime = manualRuntime();
  const refused = Promise.reject(new MetadataError("fatal", "wrong password"));
  const error = await assertRejects(() => firstAnswer(runtime, refused), MetadataError);
  assertEquals(error.message, "the metadata store cannot be used: wrong password");
  assertEquals(error.outcome, "fatal");
  const waiting = firstAnswer(runtime, new Promise(() => {}));
  waiting.catch(() => {});
  await runtime.advance(15_000);
  await assertRejects(() => waiting, MetadataError, "has not answered for 15 s");
});
