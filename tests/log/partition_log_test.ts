import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { deleteRemoved, enforceRetention } from "../../core/log/retention.ts";
import { concat, crc32c } from "../../core/bytes/mod.ts";
import { buildBatch } from "../../core/protocol/batch_builder.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { compressionOf, stampCrc } from "../../core/protocol/record_batch.ts";
import { batchesOf, readRecords } from "../../core/protocol/records.ts";
import { segmentKey } from "../../core/storage/keys.ts";
import { StoreError } from "../../core/storage/object_store.ts";
import type { PartitionLogState } from "../../core/log/partition_log.ts";
import { append, batchOf, commit, readAll, readFrom, Room, Scene } from "./scene.ts";

const T0 = Date.UTC(2025, 0, 1);

async function scene(): Promise<
  { scene: Scene; room: Room; topic: string; log: PartitionLogState }
> {
  const scene = new Scene();
  const room = await scene.open();
  const topic = await room.topic("a");
  return { scene, room, topic, log: await room.log(topic) };
}

const bytesOf = (values: readonly string[]) => batchOf(values).length;

Deno.test("append() gives dense offsets, visible only once committed", async () => {
  const { log } = await scene();
  const first = append(log, batchOf(["a", "b"]));
  const second = append(log, batchOf(["c"]));
  assertEquals([first.baseOffset, second.baseOffset], [0, 2]);
  assertEquals([log.logEndOffset, log.highWatermark], [3, 0]);
  assertEquals(await second.committed, 0);
  assertEquals(log.highWatermark, 3);
});

Deno.test("append() answers a refusal only after what it was computed from", async () => {
  const { log } = await scene();
  const producer = { producerId: 1, producerEpoch: 0 };
  const first = append(log, batchOf(["a"], { ...producer, baseSequence: 0 }));
  const refused = append(log, batchOf(["b"], { ...producer, baseSequence: 5 }));
  assertEquals(refused.errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  let durable = false;
  void first.committed!.then(() => durable = true);
  assertEquals(await refused.committed, 0);
  assert(durable, "the batch that it does not follow was not committed yet");
  const again = append(log, batchOf(["a"], { ...producer, baseSequence: 0 }));
  assertEquals([again.errorCode, again.baseOffset], [0, 0]);
  assert(again.committed === first.committed);
});

Deno.test("append() recognises a retry after a crash, rewritten or not", async () => {
  const { scene: s, room, topic, log } = await scene();
  const more = { producerId: 1, producerEpoch: 0, baseSequence: 0 };
  await commit(log, ["a"], more);
  room.crash();
  const second = await s.open();
  assertEquals(append(await second.log(topic), batchOf(["a"], more)).baseOffset, 0);
  await rewriteTail(await second.log(topic), true);
  second.crash();
  const third = await (await s.open()).log(topic);
  assertEquals(append(third, batchOf(["a"], more)).baseOffset, 0);
  assertEquals(third.logEndOffset, 1);
});

Deno.test("append() refuses what is larger than max.message.bytes", async () => {
  const { scene: s, log } = await scene();
  const bytes = batchOf(["large"]);
  s.settings.maxMessageBytes = bytes.length - 1;
  assertEquals(append(log, bytes).errorCode, ErrorCode.MESSAGE_TOO_LARGE);
  s.settings.maxMessageBytes = bytes.length;
  assertEquals(append(log, bytes).errorCode, 0);
});

Deno.test("append() stamps the broker's time where the topic says LogAppendTime", async () => {
  const { scene: s, log } = await scene();
  s.settings.timestampType = "LogAppendTime";
  await s.runtime.advance(5_000);
  const { logAppendTimeMs, committed } = append(log, batchOf(["a"], { baseTimestampMs: 17 }));
  await committed;
  assertEquals(logAppendTimeMs, T0 + 5_000);
  assertEquals((await readFrom(log, 0)).records.map((r) => r.timestampMs), [T0 + 5_000]);
});

Deno.test("append() is refused after the chain's and the partition's end", async () => {
  const { room, log } = await scene();
  const waiting = append(log, batchOf(["a"]));
  room.chain.close();
  assertEquals(await waiting.committed, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(append(log, batchOf(["b"])).errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  log.close(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  assertEquals(append(log, batchOf(["b"])).errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
});

Deno.test("read() goes on in the segments when the WAL object goes away under it", async () => {
  const { room, log } = await scene();
  for (const value of ["a", "b"]) await commit(log, [value]);
  room.cache.invalidate(log.tail.first!.object.key);
  const reading = readFrom(log, 0);
  await rewriteTail(log, true);
  await room.ledger.sweep();
  assertEquals((await reading).errorCode, 0);
  assertEquals(await readAll(log), [[0, "a"], [1, "b"]]);
});

Deno.test("read() at an offset that is being deleted never brings a later one", async () => {
  const { scene: s, log, room } = await scene();
  s.settings.segmentBytes = 1;
  for (const value of ["a", "b", "c"]) await commit(log, [value]);
  await rewriteTail(log, true);
  // the manifest is durable, its predecessor is still being deleted
  let inside: Awaited<ReturnType<typeof readFrom>> | undefined;
  const { delete: remove } = room.store;
  Object.assign(room.store, {
    delete: async (...args: Parameters<typeof remove>) => {
      inside ??= await readFrom(log, 0);
      return await remove(...args);
    },
  });
  await log.deleteRecords(1);
  await log.deleteRecords(2);
  assertEquals(inside?.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});

Deno.test("deleteRecords() inside of a batch keeps the batch", async () => {
  const { scene: s, room, topic, log } = await scene();
  await commit(log, ["a", "b", "c", "d"]);
  assertEquals(await log.deleteRecords(2), { errorCode: 0, logStartOffset: 2 });
  assertEquals(await readAll(log), [[2, "c"], [3, "d"]]);
  room.crash();
  const second = await s.open();
  const again = await second.log(topic);
  assertEquals(await readAll(again), [[2, "c"], [3, "d"]]);
  await rewriteTail(again, true);
  assertEquals(await readAll(again), [[2, "c"], [3, "d"]]);
  assertEquals((await readFrom(again, 1)).errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
  second.crash();
  assertEquals(await readAll(await (await s.open()).log(topic)), [[2, "c"], [3, "d"]]);
});

Deno.test("deleteRecords() beyond what is rewritten keeps producer state", async () => {
  const { scene: s, room, topic, log } = await scene();
  const more = { producerId: 1, producerEpoch: 0, baseSequence: 0 };
  await commit(log, ["a"], more);
  assertEquals(await log.deleteRecords(-1), { errorCode: 0, logStartOffset: 1 });
  await room.ledger.sweep();
  assertEquals(room.ledger.objects, 0);
  room.crash();
  const again = await (await s.open()).log(topic);
  assertEquals([again.logStartOffset, again.highWatermark], [1, 1]);
  assertEquals(append(again, batchOf(["a"], more)).baseOffset, 0);
  assertEquals(await commit(again, ["b"], { ...more, baseSequence: 1 }), 1);
});

Deno.test("deleteRecords() refuses what is above the high watermark", async () => {
  const { log } = await scene();
  await commit(log, ["a"]);
  assertEquals((await log.deleteRecords(2)).errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});

Deno.test("enforceRetention() by time takes expired segments and tail, and no others", async () => {
  const { scene: s, log } = await scene();
  s.settings.retentionMs = 1_000;
  await commit(log, ["old"]);
  await rewriteTail(log, true);
  await commit(log, ["old, in the tail"]);
  await s.runtime.advance(1_001);
  await commit(log, ["young"], { baseTimestampMs: T0 + 900 });
  assertEquals(await enforceRetention(log), true);
  assertEquals(await readAll(log), [[2, "young"]]);
});

Deno.test("enforceRetention() counts from storing where timestamps are missing", async () => {
  const { scene: s, log } = await scene();
  s.settings.retentionMs = 1_000;
  await commit(log, ["rewritten"], { baseTimestampMs: -1 });
  await rewriteTail(log, true);
  await commit(log, ["in the tail"], { baseTimestampMs: -1 });
  await s.runtime.advance(1_000);
  assertEquals(await enforceRetention(log), false);
  assertEquals(await log.offsetOfMaxTimestamp(), { offset: -1, timestampMs: -1, leaderEpoch: -1 });
  await s.runtime.advance(1);
  assertEquals(await enforceRetention(log), true);
  assertEquals(log.logStartOffset, 2);
});

Deno.test("enforceRetention() by size leaves at least retention.bytes", async () => {
  const { scene: s, log } = await scene();
  s.settings.segmentBytes = 1;
  for (const value of ["a", "b", "c", "d"]) await commit(log, [value]);
  await rewriteTail(log, true);
  s.settings.retentionBytes = log.sizeBytes - log.checkpoint.segments[0]!.bytes;
  await enforceRetention(log);
  assertEquals(log.logStartOffset, 1);
  s.settings.retentionBytes = log.sizeBytes - 1;
  assertEquals(await enforceRetention(log), false);
});

Deno.test("deleteRemoved() waits for the grace period, and remembers over a restart", async () => {
  const { scene: s, room, topic, log } = await scene();
  s.settings.fileDeleteDelayMs = 1_000;
  await commit(log, ["a"]);
  await rewriteTail(log, true);
  await log.deleteRecords(1);
  await deleteRemoved(log);
  assert(s.objects.has(segmentKey("ns/a/0/", 0)));
  room.crash();
  await s.runtime.advance(1_000);
  const again = await (await s.open()).log(topic);
  await deleteRemoved(again);
  assertEquals(s.keys("ns/a/0/segment-"), []);
  assertEquals(again.checkpoint.removed, []);
});

Deno.test("rewriteTail() takes over the segment of an attempt that died", async () => {
  const { scene: s, room, topic, log } = await scene();
  await commit(log, ["a", "b"]);
  const { putIfAbsent } = room.store;
  Object.assign(room.store, {
    putIfAbsent: (...args: Parameters<typeof putIfAbsent>) =>
      args[0].includes("manifest") ? new Promise(() => {}) : putIfAbsent(...args),
  });
  void rewriteTail(log, true);
  await s.runtime.settle();
  room.crash();
  const second = await s.open();
  const again = await second.log(topic);
  await commit(again, ["c"]);
  await rewriteTail(again, true);
  await rewriteTail(again, true);
  assertEquals(again.checkpoint.segments.map(({ lastOffset }) => lastOffset), [1, 2]);
  assertEquals(await readAll(again), [[0, "a"], [1, "b"], [2, "c"]]);
});

Deno.test("rewriteTail() follows a rival that was first and swept the WAL", async () => {
  const { scene: s, room: old, topic, log } = await scene();
  await commit(log, ["a"]);
  await commit(log, ["b"]);
  const young = await s.open();
  const again = await young.log(topic);
  await rewriteTail(log, true);
  await old.ledger.sweep();
  for (const { object } of again.tail.entries) young.cache.invalidate(object.key);
  await rewriteTail(again, true);
  assertEquals(again.tail.length, 0);
  assertEquals(await readAll(again), [[0, "a"], [1, "b"]]);
  assertEquals(await commit(again, ["c"]), 2);
});

Deno.test("offsetForTimestamp() looks into segments, tail, compressed batches", async () => {
  const { scene: s, log } = await scene();
  s.settings.segmentBytes = 1;
  await commit(log, ["a", "b"], { baseTimestampMs: T0 });
  await commit(log, ["c"], { baseTimestampMs: T0 + 10, compression: "gzip" });
  await rewriteTail(log, true);
  await commit(log, ["d"], { baseTimestampMs: T0 + 20 });
  const find = async (ms: number) =>
    (await log.offsetForTimestamp(T0 + ms, "read_uncommitted")).offset;
  assertEquals([await find(-1), await find(1), await find(11), await find(21)], [0, 2, 3, -1]);
  await log.deleteRecords(1);
  assertEquals(await find(-1), 1);
  assertEquals((await log.offsetOfMaxTimestamp()).offset, 3);
});

Deno.test("offsetForTimestamp() sees what is rewritten while it looks", async () => {
  const { scene: s, room, log } = await scene();
  s.settings.segmentBytes = 1;
  await commit(log, ["a"], { baseTimestampMs: T0 });
  await rewriteTail(log, true);
  await commit(log, ["b"], { baseTimestampMs: T0 + 10 });
  const { segments } = log.context;
  const scan = segments.scan.bind(segments);
  let rewritten = false;
  segments.scan = async (...args) => {
    if (!rewritten) {
      rewritten = true;
      await rewriteTail(log, true);
    }
    return await scan(...args);
  };
  // the first segment claims to be young enough, so that it is looked into
  const [first, ...rest] = log.checkpoint.segments;
  log.checkpoint.segments = [{ ...first!, maxTimestampMs: T0 + 99 }, ...rest];
  const found = await log.offsetForTimestamp(T0 + 5, "read_uncommitted");
  assertEquals([found.offset, rewritten, room.fenced], [1, true, false]);
});

Deno.test("offsetForTimestamp() holds little of a large segment at a time", async () => {
  const { scene: s, room, log } = await scene();
  s.options.commitBytes = 4 << 20;
  const value = "x".repeat(300_000);
  for (let at = 0; at < 8; at++) await commit(log, [value], { baseTimestampMs: T0 + at });
  await rewriteTail(log, true);
  for (const key of s.keys("ns/")) room.cache.invalidate(key);
  const before = room.cache.stats.loadedBytes;
  assertEquals((await log.offsetForTimestamp(T0, "read_uncommitted")).offset, 0);
  assertLess(room.cache.stats.loadedBytes - before, 2 << 20);
  assertEquals((await log.offsetForTimestamp(T0 + 7, "read_uncommitted")).offset, 7);
});

Deno.test("a topic deleted during a rewrite leaves no object behind", async () => {
  const { scene: s, room, log } = await scene();
  for (const value of ["a", "b"]) await commit(log, [value]);
  let free = () => {};
  const held = new Promise<void>((resolve) => free = resolve);
  const { putIfAbsent } = room.store;
  Object.assign(room.store, {
    putIfAbsent: async (...args: Parameters<typeof putIfAbsent>) => {
      if (args[0].includes("segment")) await held;
      return await putIfAbsent(...args);
    },
  });
  const rewriting = rewriteTail(log, true);
  await s.runtime.settle();
  await room.topics.delete([{ name: "a" }]);
  await s.runtime.settle();
  assertEquals(append(log, batchOf(["c"])).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  free();
  await rewriting;
  await s.runtime.advance(5_000);
  assertEquals(s.keys("ns/a"), []);
  assertEquals(room.topics.pendingDeletions(), []);
  assertEquals(room.ledger.objects, 0);
});

Deno.test("a topic deleted while a partition is loaded leaves no object behind", async () => {
  const { scene: s, room, topic, log } = await scene();
  await commit(log, ["a"]);
  await rewriteTail(log, true);
  room.crash();
  const second = await s.open();
  const loading = second.logs.state(topic, 0);
  await second.topics.delete([{ name: "a" }]);
  await s.runtime.advance(5_000);
  await loading;
  assertEquals(s.keys("ns/a"), []);
  assertEquals(await second.logs.state(topic, 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});

Deno.test("a config that changes while a partition is loaded reaches it", async () => {
  const { scene: s, room, topic } = await scene();
  room.crash();
  const second = await s.open();
  const loading = second.log(topic);
  const configs = new Map([["max.message.bytes", "1234"]]);
  await second.topics.alterConfigs([{ name: "a", change: () => configs }]);
  const log = await loading;
  assertEquals(log.info, second.topics.byId(topic));
});

Deno.test("read() of a damaged segment is a storage error, not garbage", async () => {
  const { scene: s, room, topic, log } = await scene();
  await commit(log, ["a", "b"]);
  await rewriteTail(log, true);
  room.crash();
  const [key] = s.keys("ns/a/0/segment-").filter((each) => each.endsWith(".kfs"));
  const bytes = s.objects.get(key!)!.slice();
  new DataView(bytes.buffer).setInt32(32 + 8, -1);
  s.objects.set(key!, bytes);
  const again = await (await s.open()).log(topic);
  const error = await assertRejects(() => readAll(again), StoreError, "damaged");
  assertEquals(error.outcome, "fatal");
});

Deno.test("append() compresses again what the topic's compression.type asks for", async () => {
  const { scene: s, log } = await scene();
  const values = Array.from({ length: 20 }, (_, index) => `value ${index} `.repeat(30));
  for (const compression of ["gzip", "snappy", "lz4", "zstd", "none"] as const) {
    s.settings.compression = compression;
    const sent = buildBatch({
      records: values.map((value) => ({ value: new TextEncoder().encode(value) })),
      baseTimestampMs: T0,
      compression: compression === "none" ? "gzip" : "none",
      producerId: 7,
      producerEpoch: 0,
      baseSequence: log.logEndOffset,
    });
    assertEquals(await append(log, sent).committed, 0);
  }
  const { signal } = new AbortController();
  const read = await log.read(0, 1 << 20, "read_uncommitted", true, signal);
  const stored = concat(read.records);
  read.release();
  assertEquals(
    [...batchesOf(stored)].map(({ header }) => compressionOf(header.attributes)),
    ["gzip", "snappy", "lz4", "zstd", "none"],
  );
  const texts = [...readRecords(stored)].map(({ value }) => new TextDecoder().decode(value!));
  assertEquals(texts, Array.from({ length: 5 }, () => values).flat());
  for (const { bytes, header } of batchesOf(stored)) {
    assertEquals(header.crc, crc32c(bytes, 21), "CRC of a batch that was compressed again");
  }
});

Deno.test("append() refuses records without a key, and broken ones", async () => {
  const { scene: s, log } = await scene();
  s.settings.compacted = true;
  const value = new TextEncoder().encode("v");
  const batch = (keys: readonly (string | null)[]) =>
    buildBatch({
      baseTimestampMs: T0,
      records: keys.map((key) => ({
        key: key === null ? null : new TextEncoder().encode(key),
        value,
      })),
    });
  assertEquals(append(log, batch(["a", null])).errorCode, ErrorCode.INVALID_RECORD);
  assertEquals(append(log, batch(["a", ""])).errorCode, 0);
  s.settings.compacted = false;
  s.settings.compression = "lz4";
  const broken = batch(["a"]);
  broken[broken.length - 1]! ^= 1;
  broken[22] = 1;
  stampCrc(broken, new DataView(broken.buffer), 0, broken.length);
  assertEquals(append(log, broken).errorCode, ErrorCode.INVALID_RECORD);
  assertEquals(log.logEndOffset, 2);
});

Deno.test("traffic counts a topic's committed records, and what was read", async () => {
  const { room, topic, log } = await scene();
  await room.topic("b");
  const pending = append(log, batchOf(["a", "b", "c"]));
  const { trafficByTopic } = log.context;
  assertEquals(trafficByTopic.of(topic).producedRecords, 0);
  await pending.committed;
  await rewriteTail(log, true);
  await commit(log, ["d"]);
  const { producedRecords, producedBytes, fetchedBytes } = trafficByTopic.of(topic);
  assertEquals([producedRecords, producedBytes, fetchedBytes], [
    4,
    bytesOf(["a", "b", "c"]) + bytesOf(["d"]),
    0,
  ]);
  assertEquals((await readAll(log)).length, 4);
  assertEquals(trafficByTopic.of(topic).fetchedBytes, producedBytes);
  await room.topics.delete([{ name: "a" }]);
  await room.housekeeping.stop();
  assertEquals([...trafficByTopic.entries()], []);
});
