/**
 * Segments without a producer: written straight into the store, with the manifest that names them,
 * as years of writing would have left them. For benches and tests that need much data soon.
 */
import { concat, crc32c } from "../core/bytes/mod.ts";
import { buildBatch } from "../core/protocol/batch_builder.ts";
import { stampBatch } from "../core/protocol/record_batch.ts";
import { indexKey, manifestKey, partitionPrefix, segmentKey } from "../core/storage/keys.ts";
import { encodeManifest, type SegmentInfo } from "../core/storage/manifest.ts";
import type { ObjectStore } from "../core/storage/object_store.ts";
import { encodeIndex, encodeSegment, SEGMENT_HEADER_BYTES } from "../core/storage/segment/mod.ts";

export interface Filling {
  readonly store: ObjectStore;
  readonly namespace: string;
  readonly topic: { readonly id: string; readonly directory: string };
  readonly partitions: number;
  /** In each partition. */
  readonly segments: number;
  /** In each segment, of one record each. */
  readonly batches: number;
  readonly recordBytes: number;
}

/** Objects written at once. */
const PARALLEL = 8;

/** Fills partitions of a topic that nobody has written to; returns the bytes of all segments. */
export async function fillTopic(o: Filling): Promise<number> {
  const baseTimestampMs = Date.now();
  const value = crypto.getRandomValues(new Uint8Array(Math.min(o.recordBytes, 65_536)));
  const whole = new Uint8Array(o.recordBytes);
  for (let at = 0; at < whole.length; at += value.length) {
    whole.set(value.subarray(0, whole.length - at), at);
  }
  const batch = buildBatch({ baseTimestampMs, records: [{ value: whole }] });
  const template = concat(Array.from({ length: o.batches }, () => batch));
  let bytes = 0;
  const partitions = Array.from({ length: o.partitions }, (_, partition) => partition).values();
  const worker = async () => {
    const body = template.slice();
    for (const partition of partitions) {
      const more = await fillPartition(o, partition, body, batch.length, baseTimestampMs);
      bytes += more;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return bytes;
}

async function fillPartition(
  { store, namespace, topic, segments, batches }: Filling,
  partition: number,
  body: Uint8Array,
  batchBytes: number,
  nowMs: number,
): Promise<number> {
  const prefix = partitionPrefix(namespace, topic.directory, partition);
  const view = new DataView(body.buffer);
  const named: SegmentInfo[] = [];
  for (let at = 0; at < segments; at++) {
    const baseOffset = at * batches;
    const lastOffset = baseOffset + batches - 1;
    for (let n = 0; n < batches; n++) stampBatch(view, n * batchBytes, baseOffset + n, 0);
    const head = { baseOffset, lastOffset, recordCount: batches, createdMs: nowMs };
    const object = encodeSegment([body], head, crc32c(body));
    const entries = Array.from({ length: batches }, (_, n) => ({
      baseOffset: baseOffset + n,
      position: SEGMENT_HEADER_BYTES + n * batchBytes,
    }));
    await store.put(segmentKey(prefix, baseOffset), object);
    await store.put(indexKey(prefix, baseOffset), [encodeIndex(entries, batchBytes)]);
    const bytes = object.reduce((sum, part) => sum + part.length, 0);
    // Merged ones are left as they are.
    named.push({ baseOffset, lastOffset, bytes, maxTimestampMs: nowMs, merged: true });
  }
  const manifest = encodeManifest({
    topicId: topic.id,
    partition,
    sequence: 0,
    writtenMs: nowMs,
    coveredOffset: segments * batches,
    logStartOffset: 0,
    leaderEpochs: [{ leaderEpoch: 0, startOffset: 0 }],
    segments: named,
    removed: [],
    producers: [],
    aborted: [],
    merge: undefined,
  });
  await store.putIfAbsent(manifestKey(prefix, 0), [manifest]);
  return named.reduce((sum, segment) => sum + segment.bytes, 0);
}
