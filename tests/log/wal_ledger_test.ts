import { assertEquals } from "@std/assert";
import { WalLedger } from "../../core/log/wal_ledger.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import {
  encodeSlotFooter,
  encodeSlotHeader,
  NO_MARK,
  type SlotKind,
} from "../../core/storage/wal/format.ts";
import { chainPrefix, slotKey } from "../../core/storage/keys.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import type { WalObject } from "../../core/storage/wal/commit.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const OWN_EPOCH = 7;

function slotBytes(kind: SlotKind, bodyBytes = 0): Uint8Array {
  const header = encodeSlotHeader(kind, new Uint8Array(8));
  const place = { kind, brokerId: 1, brokerEpoch: 5, slot: 0, createdMs: 0 };
  const footer = encodeSlotFooter(header, {
    ...place,
    objects: [],
    partitions: [],
    metadata: NO_MARK,
  });
  const whole = new Uint8Array(header.length + bodyBytes + footer.length);
  whole.set(header);
  whole.set(footer, header.length + bodyBytes);
  return whole;
}

function setup() {
  const runtime = manualRuntime();
  const objects = new MemoryObjects();
  const abort = new AbortController();
  const raised: number[] = [];
  const trouble: { raise?: Error; delete?: Error } = {};
  const gets = { count: 0 };
  const inner = memoryStore(objects, runtime);
  const store = {
    advice: inner.advice,
    get: (...args: Parameters<typeof inner.get>) => {
      gets.count++;
      return inner.get(...args);
    },
    put: inner.put.bind(inner),
    putIfAbsent: inner.putIfAbsent.bind(inner),
    list: inner.list.bind(inner),
    close: inner.close.bind(inner),
    delete: (keys: readonly string[]) =>
      trouble.delete === undefined ? inner.delete(keys) : Promise.reject(trouble.delete),
  };
  const ledger = new WalLedger({
    runtime,
    store,
    raiseLowWater: (slot) => {
      if (trouble.raise !== undefined) return Promise.reject(trouble.raise);
      raised.push(slot);
      return Promise.resolve();
    },
    forget: () => {},
    signal: abort.signal,
  });
  const put = (epoch: number, slot: number, kind: SlotKind, live: number): WalObject => {
    const key = slotKey("ns", 1, epoch, slot);
    const bytes = slotBytes(kind);
    objects.set(key, bytes);
    return { key, size: bytes.length, chainEpoch: epoch, slot, createdMs: 0, live };
  };
  const own = (slot: number, live: number) => {
    const object = put(OWN_EPOCH, slot, "data", live);
    ledger.addOwn(object);
    return object;
  };
  return { objects, ledger, raised, trouble, put, own, abort, gets };
}

Deno.test("sweep() deletes own slots as a prefix of the chain only", async () => {
  const { objects, ledger, raised, own } = setup();
  const slots = [own(0, 0), own(1, 0), own(2, 1), own(3, 0)];
  await ledger.sweep();
  assertEquals(slots.map(({ key }) => objects.has(key)), [false, false, true, true]);
  assertEquals(raised, [2]);
  slots[2]!.live = 0;
  await ledger.sweep();
  assertEquals(objects.size, 0);
  assertEquals(ledger.bytes, 0);
});

Deno.test("sweep() deletes nothing before the low-water mark is durable", async () => {
  const { objects, ledger, trouble, own } = setup();
  own(0, 0);
  trouble.raise = new MetadataError("retry", "metadata is away");
  await ledger.sweep();
  assertEquals(objects.size, 1);
  delete trouble.raise;
  await ledger.sweep();
  assertEquals(objects.size, 0);
});

Deno.test("sweep() tries again what the store refused to delete", async () => {
  const { objects, ledger, trouble, own } = setup();
  own(0, 0);
  trouble.delete = new StoreError("retry", "slow down");
  await ledger.sweep();
  assertEquals([objects.size, ledger.objects], [1, 1]);
  delete trouble.delete;
  await ledger.sweep();
  assertEquals([objects.size, ledger.objects, ledger.bytes], [0, 0, 0]);
});

Deno.test("sweep() called twice at once takes no live slot off the list", async () => {
  const { objects, ledger, raised, own } = setup();
  own(0, 0);
  const live = own(1, 1);
  own(2, 0);
  await Promise.all([ledger.sweep(), ledger.sweep()]);
  await ledger.sweep();
  assertEquals(objects.has(live.key), true);
  assertEquals(Math.max(...raised), 1);
  assertEquals(ledger.objects, 2);
});

Deno.test("sweep() does nothing once the broker stops", async () => {
  const { objects, ledger, raised, own, abort } = setup();
  own(0, 0);
  abort.abort();
  await ledger.sweep();
  assertEquals([objects.size, raised.length], [1, 0]);
});

Deno.test("sweep() deletes adopted slots one by one, without the low-water mark", async () => {
  const { objects, ledger, raised, put } = setup();
  const slots = [put(5, 3, "data", 1), put(5, 4, "data", 0)];
  for (const slot of slots) ledger.addAdopted(slot);
  await ledger.sweep();
  assertEquals(slots.map(({ key }) => objects.has(key)), [true, false]);
  assertEquals(raised, []);
});

Deno.test("sweepLeftovers() keeps seals, own slots and what is adopted", async () => {
  const { objects, ledger, put, own } = setup();
  const adopted = put(5, 0, "data", 1);
  ledger.addAdopted(adopted);
  const kept = [adopted.key, put(5, 2, "seal", 0).key, own(0, 1).key, put(8, 0, "data", 0).key];
  const gone = [put(5, 1, "data", 0).key, put(5, 3, "data", 0).key, put(6, 0, "adoption", 0).key];
  const large = slotKey("ns", 1, 6, 1);
  objects.set(large, slotBytes("data", 1_000));
  const count = await ledger.sweepLeftovers("ns/.wal/1/", chainPrefix("ns", 1, OWN_EPOCH));
  assertEquals(count, 4);
  assertEquals(kept.map((key) => objects.has(key)), kept.map(() => true));
  assertEquals([...gone, large].map((key) => objects.has(key)), [false, false, false, false]);
});

Deno.test("sweepLeftovers() leaves alone what is no slot", async () => {
  const { objects, ledger, put } = setup();
  const foreign = slotKey("ns", 1, 5, 9);
  objects.set(foreign, new TextEncoder().encode("not one of ours, whoever put it here"));
  const void_ = put(6, 0, "data", 0);
  put(6, 1, "seal", 0);
  await ledger.sweepLeftovers("ns/.wal/1/", chainPrefix("ns", 1, OWN_EPOCH));
  assertEquals([objects.has(foreign), objects.has(void_.key)], [true, false]);
});

Deno.test("sweepLeftovers() doesn't look into chains of which the seal alone is left", async () => {
  const { ledger, put, objects, gets } = setup();
  for (let epoch = 1; epoch < 6; epoch++) put(epoch, 0, "seal", 0);
  assertEquals(await ledger.sweepLeftovers("ns/.wal/1/", chainPrefix("ns", 1, OWN_EPOCH)), 0);
  assertEquals([objects.size, gets.count], [5, 0]);
});

Deno.test("sweepLeftovers() deletes own slots that a late write put back", async () => {
  const { objects, ledger, put, own } = setup();
  own(0, 0);
  const live = own(1, 1);
  const prefix = chainPrefix("ns", 1, OWN_EPOCH);
  const late = put(OWN_EPOCH, 0, "data", 0).key;
  // Nothing is known to be gone yet.
  assertEquals(await ledger.sweepLeftovers("ns/.wal/1/", prefix), 0);
  await ledger.sweep();
  objects.set(late, slotBytes("data"));
  assertEquals(await ledger.sweepLeftovers("ns/.wal/1/", prefix), 1);
  assertEquals([objects.has(late), objects.has(live.key)], [false, true]);
});
