import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  clusterId,
  openIncarnation,
  openReadOnlyIncarnation,
  raiseLowWater,
  readChains,
  removeChains,
} from "../../core/metadata/brokers.ts";
import { compareKeys, prefixEnd } from "../../core/metadata/key_order.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { ProducerIds } from "../../core/metadata/producer_ids.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

function scene() {
  const runtime = manualRuntime();
  const service = new MemoryMetadata(runtime);
  return { runtime, service, store: service.connect() };
}

Deno.test("openIncarnation() gives each epoch once and lists the earlier chains", async () => {
  const { store } = scene();
  assertEquals(await openIncarnation(store, 7), { epoch: 1, earlierChains: [] });
  await raiseLowWater(store, 7, 1, 5);
  await raiseLowWater(store, 7, 1, 3);
  const chain = { brokerId: 7, epoch: 1, lowWaterSlot: 5, keepUnknown: false, clustered: false };
  assertEquals(await openIncarnation(store, 7), { epoch: 2, earlierChains: [chain] });
  await removeChains(store, 7, [1]);
  await raiseLowWater(store, 7, 1, 9);
  assertEquals(await readChains(store, 7), [{
    brokerId: 7,
    epoch: 2,
    lowWaterSlot: 0,
    keepUnknown: false,
    clustered: false,
  }]);
  await removeChains(store, 7, [1, 2]);
  assertEquals(await openIncarnation(store, 7), { epoch: 3, earlierChains: [] });
  assertEquals(await openIncarnation(store, 8), { epoch: 1, earlierChains: [] });
});

Deno.test("openReadOnlyIncarnation() gives the next epoch, and enters no chain", async () => {
  const { store } = scene();
  assertEquals((await openIncarnation(store, 7)).epoch, 1);
  assertEquals(await openReadOnlyIncarnation(store, 7), 2);
  assertEquals((await readChains(store, 7)).map(({ epoch }) => epoch), [1]);
  assertEquals((await openIncarnation(store, 7)).epoch, 3);
});

Deno.test("openIncarnation() of 50 rivals gives 50 epochs", async () => {
  const { service } = scene();
  const opened = await Promise.all(
    Array.from({ length: 50 }, () => openIncarnation(service.connect(), 7)),
  );
  assertEquals(new Set(opened.map(({ epoch }) => epoch)).size, 50);
  const last = opened.find(({ epoch }) => epoch === 50)!;
  assertEquals(
    last.earlierChains.map(({ epoch }) => epoch),
    [...Array(49).keys()].map((at) => at + 1),
  );
});

Deno.test("clusterId() is made once, by whoever comes first", async () => {
  const { service, runtime } = scene();
  const ids = await Promise.all(
    Array.from({ length: 10 }, () => clusterId(service.connect(), runtime)),
  );
  assertEquals(new Set(ids).size, 1);
  assertMatch(ids[0]!, /^[A-Za-z0-9_-]{22}$/);
  assertEquals(await clusterId(service.connect(), runtime, "wanted"), ids[0]);
  assertEquals(await clusterId(scene().store, runtime, "wanted"), "wanted");
});

Deno.test("next() of several brokers never gives an id twice, crashes included", async () => {
  const { service } = scene();
  const given: number[] = [];
  for (let round = 0; round < 3; round++) {
    const brokers = [1, 2, 3].map(() => new ProducerIds(service.connect()));
    const calls = Array.from({ length: 2500 }, (_, at) => brokers[at % 3]!.next());
    given.push(...await Promise.all(calls));
  }
  assertEquals(new Set(given).size, given.length);
  assert(given.every((id) => Number.isSafeInteger(id) && id >= 0));
});

Deno.test("next() fails during an outage and recovers by itself", async () => {
  const { store } = scene();
  const ids = new ProducerIds(store);
  store.disconnect();
  await assertRejects(() => ids.next(), MetadataError);
  store.reconnect();
  assertEquals(await ids.next(), 0);
});

Deno.test("next() wastes a block when a reply is lost, and never reuses it", async () => {
  let lose = true;
  const { service } = scene();
  const ids = new ProducerIds(service.connect({
    after: (call) => {
      if (call === "commit" && lose) throw new MetadataError("retry", "reply lost");
    },
  }));
  await assertRejects(() => ids.next(), MetadataError);
  lose = false;
  assertEquals(await ids.next(), 1000);
});

Deno.test("compareKeys() orders as UTF-8 bytes do", () => {
  const keys = [
    "",
    "a",
    "a/",
    "aa",
    "b",
    "é",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\u{10ffff}",
    "a😀",
  ];
  const bytes = (key: string) => new TextEncoder().encode(key).toHex();
  const byBytes = keys.toSorted((a, b) => bytes(a) < bytes(b) ? -1 : 1);
  assertEquals(keys.toSorted(compareKeys), byBytes);
});

Deno.test("prefixEnd() is just above every key of the prefix", () => {
  for (const prefix of ["a", "topics/", "é", "\ud7ff", "x\u{10ffff}", "😀"]) {
    const end = prefixEnd(prefix)!;
    for (const rest of ["", "a", "\u{10ffff}\u{10ffff}"]) {
      assert(compareKeys(prefix + rest, end) < 0);
    }
    assert(!end.startsWith(prefix));
  }
  assertEquals(prefixEnd(""), undefined);
  assertEquals(prefixEnd("\u{10ffff}"), undefined);
});
