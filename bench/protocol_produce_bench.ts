/** Produce and Fetch codecs at the sizes that a busy client has: one topic, eight partitions. */
import { Reader, Writer } from "../core/bytes/mod.ts";
import { buildBatch } from "../core/protocol/batch_builder.ts";
import { produce } from "../core/protocol/messages/00_produce.ts";
import { fetch } from "../core/protocol/messages/01_fetch.ts";
import { metadata } from "../core/protocol/messages/03_metadata.ts";

const PARTITIONS = 8;
const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";
const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
const records = buildBatch({
  records: Array.from({ length: 16 }, () => ({ value: new Uint8Array(1024) })),
  baseTimestampMs: 1_700_000_000_000,
});

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  write(writer);
  return writer.toBytes();
}

for (const version of [9, 13]) {
  const request = written((writer) =>
    produce.request.write(writer, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{
        name: "orders",
        topicId: TOPIC_ID,
        partitionData: partitions.map((index) => ({ index, records })),
      }],
    }, version)
  );
  const reader = new Reader(request);
  Deno.bench({
    name: `read Produce request v${version}, ${PARTITIONS} partitions`,
    group: "produce",
    fn() {
      reader.reset(request);
      produce.request.read(reader, version);
    },
  });
  const response = {
    responses: [{
      name: "orders",
      topicId: TOPIC_ID,
      partitionResponses: partitions.map((index) => ({
        index,
        errorCode: 0,
        baseOffset: 123_456_789,
        logAppendTimeMs: -1,
        logStartOffset: 0,
      })),
    }],
  };
  Deno.bench({
    name: `write Produce response v${version}, ${PARTITIONS} partitions`,
    group: "produce",
    fn() {
      const writer = new Writer();
      produce.response.write(writer, response, version);
      writer.finish();
    },
  });
}

for (const version of [11, 17]) {
  const request = written((writer) =>
    fetch.request.write(writer, {
      maxWaitMs: 500,
      minBytes: 1,
      topics: [{
        topic: "orders",
        topicId: TOPIC_ID,
        partitions: partitions.map((partition) => ({
          partition,
          fetchOffset: 123_456_789,
          partitionMaxBytes: 1_048_576,
        })),
      }],
    }, version)
  );
  const reader = new Reader(request);
  Deno.bench({
    name: `read Fetch request v${version}, ${PARTITIONS} partitions`,
    group: "fetch",
    fn() {
      reader.reset(request);
      fetch.request.read(reader, version);
    },
  });
  const response = {
    responses: [{
      topic: "orders",
      topicId: TOPIC_ID,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        highWatermark: 123_456_789,
        lastStableOffset: 123_456_789,
        logStartOffset: 0,
        abortedTransactions: null,
        records: [records],
      })),
    }],
  };
  Deno.bench({
    name: `write Fetch response v${version}, ${PARTITIONS} partitions`,
    group: "fetch",
    fn() {
      const writer = new Writer();
      fetch.response.write(writer, response, version);
      writer.finish();
    },
  });
}

const cluster = {
  brokers: [{ nodeId: 1, host: "localhost", port: 9092 }],
  topics: Array.from({ length: 100 }, (_, topic) => ({
    name: `topic-${topic}`,
    topicId: TOPIC_ID,
    partitions: Array.from({ length: 100 }, (_, partitionIndex) => ({
      partitionIndex,
      leaderId: 1,
      replicaNodes: [1],
      isrNodes: [1],
    })),
  })),
};
Deno.bench({
  name: "write Metadata response v13, 10,000 partitions",
  group: "metadata",
  fn() {
    const writer = new Writer();
    metadata.response.write(writer, cluster, 13);
    writer.finish();
  },
});
