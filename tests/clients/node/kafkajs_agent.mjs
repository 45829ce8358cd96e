/** KafkaJS as an agent, run by Deno. */
import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka } from "npm:kafkajs@2.2.4";
import { AssignerProtocol } from "npm:kafkajs@2.2.4";
import SnappyCodec from "npm:kafkajs-snappy@1.1.0";
import process from "node:process";
import zlib from "node:zlib";
import { base64, bootstrap, bytes, serve, sleep } from "./agent_loop.mjs";

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec;
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder) => Promise.resolve(zlib.zstdCompressSync(encoder.buffer)),
  decompress: (buffer) => Promise.resolve(zlib.zstdDecompressSync(buffer)),
});
const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  zstd: CompressionTypes.ZSTD,
};

const kafka = new Kafka({ clientId: "kafkajs", brokers: bootstrap.split(","), logLevel: 1 });
const quick = new Kafka({
  clientId: "kafkajs",
  brokers: bootstrap.split(","),
  logLevel: 0,
  retry: { retries: 1, initialRetryTime: 50 },
});
const admin = kafka.admin({ retry: { retries: 2, initialRetryTime: 100 } });
await admin.connect();

/**
 * A client of KafkaJS asks for all topics that it ever used, and fails in all when one is gone; nor
 * can two calls refresh its metadata at once. So each topic has its own.
 */
function eachTopic(make) {
  const made = new Map();
  return (topic) => {
    if (!made.has(topic)) {
      const client = make();
      made.set(topic, client.connect().then(() => client));
    }
    return made.get(topic);
  };
}

const producerOf = eachTopic(() => kafka.producer());
const impatientOf = eachTopic(() => quick.producer({ allowAutoTopicCreation: false }));
const adminOf = eachTopic(() => kafka.admin({ retry: { retries: 2, initialRetryTime: 100 } }));
const members = new Map();
let groups = 0;

function message({ p, t, k, v, h }) {
  const headers = {};
  for (const [name, value] of h) {
    const before = headers[name];
    headers[name] = before === undefined ? bytes(value) : [before, bytes(value)].flat();
  }
  return {
    key: bytes(k),
    value: bytes(v),
    headers,
    ...(p === null ? {} : { partition: p }),
    ...(t === null ? {} : { timestamp: String(t) }),
  };
}

function received(partition, { offset, timestamp, key, value, headers }) {
  const h = Object.entries(headers ?? {}).flatMap(([name, one]) =>
    [one].flat().map((part) => [name, base64(part)])
  );
  return {
    p: partition,
    o: Number(offset),
    t: Number(timestamp),
    k: base64(key),
    v: base64(value),
    h,
  };
}

async function produce({ topic, records, compression, acks, timeoutMs }) {
  const sender = await (timeoutMs === undefined ? producerOf(topic) : impatientOf(topic));
  await sender.send({
    topic,
    messages: records.map(message),
    ...(acks === undefined ? {} : { acks }),
    ...(compression === undefined ? {} : { compression: TYPES[compression] }),
  });
  return { offsets: null };
}

async function consume({ topic, partitions, from, count, waitMs }) {
  const group = `kafkajs-reader-${process.pid}-${groups++}`;
  const consumer = kafka.consumer({
    groupId: group,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 300,
  });
  const records = [];
  const full = Promise.withResolvers();
  const starts = from.timestamp === undefined ? {} : await atTimestamp(topic, from.timestamp);
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  consumer.run({
    autoCommit: false,
    eachMessage: ({ partition, message }) => {
      records.push(received(partition, message));
      if (records.length >= count) full.resolve();
      return Promise.resolve();
    },
  });
  for (let partition = 0; from !== "earliest" && partition < partitions; partition++) {
    consumer.seek({ topic, partition, offset: String(from.offset ?? starts[partition]) });
  }
  await Promise.race([full.promise, sleep(waitMs)]);
  await consumer.disconnect();
  return records;
}

async function atTimestamp(topic, timestamp) {
  const result = {};
  const own = await adminOf(topic);
  for (const { partition, offset } of await own.fetchTopicOffsetsByTimestamp(topic, timestamp)) {
    result[partition] = Number(offset);
  }
  return result;
}

/** KafkaJS trips over its own metadata when another call refreshes it meanwhile: ask again. */
async function listOffsets(asked, attempts = 5) {
  try {
    return await listOffsetsOnce(asked);
  } catch (error) {
    if (!(error instanceof TypeError) || attempts === 1) throw error;
    return await listOffsets(asked, attempts - 1);
  }
}

async function listOffsetsOnce({ topic, partition, at }) {
  if (typeof at === "number") return { offset: (await atTimestamp(topic, at))[partition] };
  const all = await (await adminOf(topic)).fetchTopicOffsets(topic);
  const found = all.find((one) => one.partition === partition);
  return { offset: Number(at === "earliest" ? found.low : found.high) };
}

async function groupOpen({ handle, group, topic }) {
  const consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 300,
    sessionTimeout: 10000,
  });
  const member = { consumer, records: [], positions: new Map(), assignment: [], topic };
  members.set(handle, member);
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.assignment = payload.memberAssignment[topic] ?? [];
  });
  consumer.on(consumer.events.REBALANCING, () => {
    member.assignment = [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    // with one worker for the fetchers of several brokers a wake-up can get lost, and all with it
    partitionsConsumedConcurrently: 4,
    eachMessage: ({ partition, message }) => {
      member.records.push(received(partition, message));
      member.positions.set(partition, Number(message.offset) + 1);
      return Promise.resolve();
    },
  });
}

function groupState({ handle }) {
  const member = members.get(handle);
  return { assignment: member.assignment, records: member.records.splice(0) };
}

async function groupCommit({ handle }) {
  const { consumer, positions, topic } = members.get(handle);
  await consumer.commitOffsets(
    [...positions].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
  );
}

async function groupClose({ handle }) {
  const member = members.get(handle);
  members.delete(handle);
  await member.consumer.disconnect();
}

const resource = (name) => ({ type: ConfigResourceTypes.TOPIC, name });

async function createTopic({ topic, partitions, configs }) {
  const configEntries = Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }));
  const made = await admin.createTopics({
    topics: [{ topic, numPartitions: partitions, configEntries }],
  });
  // KafkaJS answers false in place of the error.
  if (!made) {
    throw Object.assign(new Error("topic exists"), { type: "TOPIC_ALREADY_EXISTS", code: 36 });
  }
}

async function describeTopic({ topic }) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics[0].partitions.map((one) => ({
    id: one.partitionId,
    leader: one.leader,
    replicas: one.replicas,
    isr: one.isr,
  }));
  return { partitions };
}

async function describeConfigs({ topic }) {
  const { resources } = await admin.describeConfigs({
    resources: [resource(topic)],
    includeSynonyms: false,
  });
  const entries = resources[0].configEntries.map((
    { configName, configValue, isDefault, configSource },
  ) => [
    configName,
    { value: configValue, isDefault: isDefault || configSource === 5 },
  ]);
  return Object.fromEntries(entries);
}

async function describeGroup({ group }) {
  const { groups } = await admin.describeGroups([group]);
  const { state, protocolType, members } = groups[0];
  return {
    state,
    protocolType,
    members: members.map(({ clientId, memberAssignment }) => ({
      clientId,
      partitions: Object.values(
        AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {},
      ).flat(),
    })),
  };
}

const commands = {
  produce,
  consume,
  listOffsets: (asked) => listOffsets(asked),
  groupOpen,
  groupState,
  groupCommit,
  groupClose,
  createTopic,
  describeTopic,
  describeConfigs,
  describeGroup,
  listTopics: () => admin.listTopics(),
  createPartitions: ({ topic, total }) =>
    admin.createPartitions({ topicPartitions: [{ topic, count: total }] }),
  deleteTopic: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
  alterConfigs: ({ topic, configs }) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{
        ...resource(topic),
        configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      }],
    }).then(() => null),
  deleteRecords: async ({ topic, partition, before }) => {
    const partitions = [{ partition, offset: String(before) }];
    const own = await adminOf(topic);
    // it looks for leaders among the topics that it has asked for before
    await own.fetchTopicOffsets(topic);
    await own.deleteTopicRecords({ topic, partitions });
  },
  listGroups: async () => (await admin.listGroups()).groups.map((one) => one.groupId),
  deleteGroup: ({ group }) => admin.deleteGroups([group]).then(() => null),
  groupOffsets: async ({ group, topic }) => {
    const own = await adminOf(topic);
    const [found] = await own.fetchOffsets({ groupId: group, topics: [topic] });
    return Object.fromEntries(found.partitions.map((one) => [one.partition, Number(one.offset)]));
  },
  setGroupOffsets: async ({ group, topic, offsets }) => {
    const partitions = Object.entries(offsets).map(([partition, offset]) => ({
      partition: Number(partition),
      offset: String(offset),
    }));
    await (await adminOf(topic)).setOffsets({ groupId: group, topic, partitions });
  },
  describeCluster: async () => {
    const { clusterId, controller, brokers } = await admin.describeCluster();
    return {
      clusterId,
      controller,
      brokers: brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port })),
    };
  },
};

serve("kafkajs", "2.2.4", commands, ["empty", "gzip", "snappy", "zstd", "dupHeaders"], (error) => {
  // The broker's code may lie in the error, its cause, or the list of an aggregate.
  const inner = error?.groups?.[0]?.error ?? error?.errors?.[0] ?? error;
  const found = [inner, inner?.cause, inner?.originalError].find((one) =>
    typeof one?.code === "number"
  );
  return {
    code: error?.groups?.[0]?.errorCode ?? found?.code ?? null,
    name: found?.type ?? error?.name ?? "Error",
    message: String(error?.message ?? error),
  };
});
