import { assertEquals, assertRejects } from "@std/assert";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { SharedMetadata } from "../../drivers/metadata/shared/driver.ts";
import {
  metadataStoreConformance,
  overflow,
  SHORT_HISTORY,
} from "../conformance/metadata_store.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const bytes = new Uint8Array([1]);

function shared() {
  const runtime = manualRuntime();
  const store = new MemoryMetadata(runtime, { watch: SHORT_HISTORY }).connect();
  return { runtime, store, metadata: new SharedMetadata({ store, timers: runtime.timers }) };
}

metadataStoreConformance("shared", () => {
  const { store, metadata } = shared();
  const connection = metadata.connect();
  return Promise.resolve({
    store: connection,
    expire: () => Promise.resolve(store.expireLeases()),
    forget: () => overflow(connection),
    another: () => Promise.resolve(shared().metadata.connect()),
  });
}, {
  skip: { "watch() goes on without gaps when the connection breaks": "it is in the same process" },
});

async function leased(metadata: SharedMetadata, key: string) {
  const connection = metadata.connect();
  const lease = await connection.lease(5_000);
  await connection.commit({ if: [], then: [{ put: key, value: bytes, lease }] });
  return { connection, lease };
}

Deno.test("close() of a connection ends its own leases, not those of others", async () => {
  const { metadata } = shared();
  const first = await leased(metadata, "first");
  const second = await leased(metadata, "second");
  await first.connection.close();
  const { entries } = await second.connection.list("");
  assertEquals(entries.map(({ key }) => key), ["second"]);
  await assertRejects(() => first.connection.get("second"), MetadataError, "closed");
});

Deno.test("abandon() leaves leased keys for their time to live, whoever revokes", async () => {
  const { metadata, runtime } = shared();
  const { connection, lease } = await leased(metadata, "dead");
  const other = metadata.connect();
  connection.abandon();
  await lease.revoke();
  await connection.close();
  const error = await assertRejects(
    () => connection.commit({ if: [], then: [{ delete: "dead" }] }),
    MetadataError,
  );
  assertEquals(error.outcome, "fatal");
  await runtime.advance(4_999);
  assertEquals((await other.get("dead"))?.value, bytes);
  await runtime.advance(1);
  assertEquals(await other.get("dead"), undefined);
});

Deno.test("expire() ends abandoned leases at once, and leaves the others", async () => {
  const { metadata, runtime } = shared();
  const dead = await leased(metadata, "dead");
  const alive = await leased(metadata, "alive");
  dead.connection.abandon();
  await metadata.expire();
  const { entries } = await alive.connection.list("");
  assertEquals(entries.map(({ key }) => key), ["alive"]);
  assertEquals(runtime.pendingTimers, 0);
});

Deno.test("abandon() ends what a watch brings", async () => {
  const { metadata } = shared();
  const watching = metadata.connect();
  const other = metadata.connect();
  const end = new AbortController();
  const seen: string[] = [];
  const watch = (async () => {
    for await (const batch of watching.watch("", 0, end.signal)) {
      if ("events" in batch) seen.push(...batch.events.map((event) => event.type));
    }
  })();
  await other.commit({ if: [], then: [{ put: "a", value: bytes }] });
  while (seen.length === 0) await Promise.resolve();
  watching.abandon();
  await other.commit({ if: [], then: [{ put: "b", value: bytes }] });
  end.abort();
  await watch;
  assertEquals(seen, ["put"]);
});
