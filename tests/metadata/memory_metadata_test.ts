import { assertEquals, assertRejects } from "@std/assert";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import {
  metadataStoreConformance,
  overflow,
  SHORT_HISTORY,
} from "../conformance/metadata_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

metadataStoreConformance("memory", () => {
  const runtime = manualRuntime();
  const service = new MemoryMetadata(runtime, { watch: SHORT_HISTORY });
  const store = service.connect();
  const interrupt = async () => {
    store.disconnect();
    await runtime.settle();
    store.reconnect();
  };
  const expire = async () => {
    store.disconnect();
    await runtime.advance(5_000);
    store.reconnect();
  };
  const another = () => Promise.resolve(new MemoryMetadata(runtime).connect());
  return Promise.resolve({ store, expire, interrupt, forget: () => overflow(store), another });
});

const bytes = new Uint8Array([1]);

Deno.test("crash() of a view keeps its leased keys for the lease's time to live", async () => {
  const runtime = manualRuntime();
  const service = new MemoryMetadata(runtime);
  const crashed = service.connect();
  const other = service.connect();
  const lease = await crashed.lease(5_000);
  await crashed.commit({ if: [], then: [{ put: "live", value: bytes, lease }] });
  crashed.crash();
  await runtime.advance(4_999);
  assertEquals((await other.get("live"))?.value, bytes);
  await runtime.advance(1);
  assertEquals(await other.get("live"), undefined);
  await assertRejects(() => crashed.get("live"), MetadataError);
});

Deno.test("reconnect() in time keeps the lease", async () => {
  const runtime = manualRuntime();
  const view = new MemoryMetadata(runtime).connect();
  const lease = await view.lease(5_000);
  await view.commit({ if: [], then: [{ put: "live", value: bytes, lease }] });
  view.disconnect();
  await runtime.advance(4_000);
  view.reconnect();
  await runtime.advance(10_000);
  assertEquals((await view.get("live"))?.value, bytes);
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("disconnect() fails calls and watches with outcome retry", async () => {
  const view = new MemoryMetadata(manualRuntime()).connect();
  const watching = assertRejects(
    async () => {
      for await (const batch of view.watch("", 0, new AbortController().signal)) void batch;
    },
    MetadataError,
  );
  await Promise.resolve();
  view.disconnect();
  assertEquals((await watching).outcome, "retry");
  await assertRejects(() => view.list(""), MetadataError, "unreachable");
});

Deno.test("faults.after() loses the reply of a commit that took effect", async () => {
  const service = new MemoryMetadata(manualRuntime());
  const view = service.connect({
    after: (call) => {
      if (call === "commit") throw new MetadataError("retry", "reply lost");
    },
  });
  const commit = () => view.commit({ if: [], then: [{ put: "a", value: bytes }] });
  await assertRejects(commit, MetadataError, "reply lost");
  assertEquals((await view.get("a"))?.value, bytes);
});
