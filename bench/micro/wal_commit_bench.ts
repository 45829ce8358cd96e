/**
 * Filling one WAL slot: batches copied into slabs, booked by partition, footer encoded. One
 * iteration is a commit of 4 MiB; the base is a plain copy of the same bytes.
 */
import { encodeSlotFooter, NO_MARK, WAL_HEADER_BYTES } from "../../core/storage/wal/format.ts";
import { Commit, type RowSink } from "../../core/storage/wal/commit.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { seededBytes } from "../../tests/bytes/seeded.ts";

const COMMIT_BYTES = 4 * 2 ** 20;
const PARTITIONS = 8;
const nonce = new Uint8Array(8);
const frame = seededBytes(1, 2 ** 20);
const copy = new Uint8Array(COMMIT_BYTES);
const pool = new SlabPool(8);
const sinks: RowSink[] = Array.from({ length: PARTITIONS }, (_, partition) => ({
  topicId: "AAAAAAAAAAAAAAAAAAAAAQ",
  partition,
  committed: () => {},
}));

function fill(batchBytes: number): number {
  const commit = new Commit(0, "data", nonce, pool);
  for (let index = 0; (index + 1) * batchBytes <= COMMIT_BYTES; index++) {
    const start = (index * batchBytes) % (frame.length - batchBytes + 1);
    const position = commit.copyIn(frame, start, start + batchBytes);
    commit.book(sinks[index % PARTITIONS]!, {
      baseOffset: index * 16,
      lastOffsetDelta: 15,
      position,
      length: batchBytes,
      maxTimestampMs: 1,
      leaderEpoch: 0,
      attributes: 0,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      object: 0,
    });
  }
  const header = commit.sealHeader();
  const footer = encodeSlotFooter(header, {
    kind: "data",
    brokerId: 0,
    brokerEpoch: 1,
    slot: 0,
    createdMs: 1,
    objects: [],
    metadata: NO_MARK,
    partitions: [...commit.rows].map(([{ topicId, partition }, rows]) => ({
      topicId,
      partition,
      rows,
    })),
  });
  for (const slab of commit.slabs) pool.release(slab);
  return commit.bytes + footer.length - WAL_HEADER_BYTES;
}

for (const batchBytes of [1024, 16_384, 131_072]) {
  const group = `WAL commit of 4 MiB in batches of ${batchBytes} B`;
  Deno.bench(`plain copy ${batchBytes} B`, { group, baseline: true }, () => {
    for (let at = 0; at + batchBytes <= COMMIT_BYTES; at += batchBytes) {
      const start = at % (frame.length - batchBytes + 1);
      copy.set(frame.subarray(start, start + batchBytes), at);
    }
  });
  Deno.bench(`commit ${batchBytes} B`, { group }, () => {
    if (fill(batchBytes) < COMMIT_BYTES) throw new Error("bytes are missing");
  });
}
