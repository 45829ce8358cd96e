/**
 * The write path behind validation: batches appended to a chain over a store that keeps nothing
 * (one iteration: 4 MiB, committed), and the footer of such a slot, encoded and decoded.
 */
import { WalChain } from "../../core/storage/wal/chain.ts";
import type { RowSink } from "../../core/storage/wal/commit.ts";
import {
  type BatchRow,
  decodeSlotFooter,
  encodeSlotFooter,
  encodeSlotHeader,
  NO_MARK,
  type SlotFooter,
} from "../../core/storage/wal/format.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import { seededBytes } from "../../tests/bytes/seeded.ts";

const WHOLE = 4 * 2 ** 20;
const PARTITIONS = 8;
const TOPIC = "AAAAAAAAAAAAAAAAAAAAAQ";
const frame = seededBytes(1, 2 ** 20);

function rowOf(baseOffset: number): BatchRow {
  return {
    baseOffset,
    lastOffsetDelta: 15,
    position: 16,
    length: 1_024,
    maxTimestampMs: 1,
    leaderEpoch: 0,
    attributes: 0,
    producerId: 7,
    producerEpoch: 0,
    baseSequence: 1,
    object: 0,
  };
}

const sinks: RowSink[] = Array.from({ length: PARTITIONS }, (_, partition) => ({
  topicId: TOPIC,
  partition,
  committed: () => {},
}));
const nowhere: ObjectStore = {
  advice: {
    flushIntervalMs: 0,
    parallelUploads: 4,
    commitBytes: WHOLE,
    rangeBytes: 2 ** 20,
    readAheadBytes: 2 ** 20,
  },
  putIfAbsent: () => Promise.resolve("created"),
  put: () => Promise.resolve(),
  get: () => Promise.resolve(undefined),
  list: async function* () {},
  delete: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
const pool = new SlabPool(16);
const chain = new WalChain({
  runtime: systemRuntime(systemLog("error", true)),
  store: nowhere,
  namespace: "bench",
  brokerId: 1,
  brokerEpoch: 1,
  metadataMark: () => NO_MARK,
  pool,
  commitBytes: WHOLE,
  parallel: 4,
  spacingMs: 0,
  uncommittedBytesMax: 4 * WHOLE,
  onCommitted: (_, commit) => {
    for (const slab of commit.slabs) pool.release(slab);
  },
  onFenced: () => {},
});

for (const batchBytes of [1024, 16_384]) {
  Deno.bench(`append and commit 4 MiB in batches of ${batchBytes} B`, async () => {
    for (let at = 0; at < WHOLE; at += batchBytes) {
      const start = at % (frame.length - batchBytes + 1);
      chain.append(sinks[at % PARTITIONS]!, rowOf(at), frame, start, start + batchBytes);
    }
    await chain.flush();
  });
}

const header = encodeSlotHeader("data", new Uint8Array(8));
for (const rows of [256, 4096]) {
  const footer: SlotFooter = {
    kind: "data",
    brokerId: 1,
    brokerEpoch: 1,
    slot: 0,
    createdMs: 1,
    objects: [],
    metadata: NO_MARK,
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => ({
      topicId: TOPIC,
      partition,
      rows: Array.from({ length: rows / PARTITIONS }, (_, index) => rowOf(index * 16)),
    })),
  };
  const encoded = encodeSlotFooter(header, footer);
  const group = `footer of ${rows} batches`;
  Deno.bench(`encode a ${group}`, { group }, () => {
    if (encodeSlotFooter(header, footer).length !== encoded.length) throw new Error("length");
  });
  Deno.bench(`decode a ${group}`, { group }, () => {
    if (decodeSlotFooter(header, encoded).partitions.length !== PARTITIONS) throw new Error("rows");
  });
}
