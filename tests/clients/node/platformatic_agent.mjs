/** @platformatic/kafka as an agent, run by Deno. */
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  Producer,
  sleep,
} from "npm:@platformatic/kafka@2.12.1";
import { Buffer } from "node:buffer";
import process from "node:process";
import { base64, bootstrap, bytes, serve } from "./agent_loop.mjs";

const shared = {
  clientId: "platformatic",
  bootstrapBrokers: bootstrap.split(","),
  autocreateTopics: false,
};
const admin = serial(new Admin({ ...shared, retries: 1, retryDelay: 100 }));
const producer = new Producer(shared);
const impatient = new Producer({ ...shared, retries: 1, retryDelay: 50 });
const members = new Map();
let groups = 0;

/** One call at a time: the client answers two that overlap with the result of the first. */
function serial(client) {
  let last = Promise.resolve();
  return new Proxy(client, {
    get: (_, name) => (...args) => {
      const result = last.then(() => client[name](...args));
      last = result.catch(() => {});
      return result;
    },
  });
}

function message(topic, { p, t, k, v, h }) {
  return {
    topic,
    key: k === null ? undefined : bytes(k),
    value: v === null ? undefined : bytes(v),
    headers: new Map(h.map(([name, value]) => [Buffer.from(name), bytes(value)])),
    ...(p === null ? {} : { partition: p }),
    ...(t === null ? {} : { timestamp: BigInt(t) }),
  };
}

function received({ partition, offset, timestamp, key, value, headers }) {
  return {
    p: partition,
    o: Number(offset),
    t: Number(timestamp),
    k: base64(key),
    v: base64(value),
    h: [...headers].map(([name, one]) => [name.toString(), base64(one)]),
  };
}

async function produce({ topic, records, compression, acks, timeoutMs }) {
  const sender = timeoutMs === undefined ? producer : impatient;
  await sender.send({
    messages: records.map((one) => message(topic, one)),
    ...(acks === undefined ? {} : { acks }),
    ...(compression === undefined ? {} : { compression }),
  });
  return { offsets: null };
}

/** Collects a stream's messages until it ends. */
function collect(stream, into, onMessage) {
  stream.on("data", (one) => {
    into.push(received(one));
    onMessage(one);
  });
}

async function consume({ topic, partitions, from, count, waitMs, strict }) {
  const groupId = `platformatic-reader-${process.pid}-${groups++}`;
  const consumer = new Consumer({ ...shared, groupId, maxWaitTime: 500 });
  const records = [];
  const full = Promise.withResolvers();
  const offsets = [];
  for (let partition = 0; from !== "earliest" && partition < partitions; partition++) {
    const offset = from.offset ??
      (await listOffsets({ topic, partition, at: from.timestamp })).offset;
    offsets.push({ topic, partition, offset: BigInt(offset) });
  }
  const stream = await consumer.consume({
    topics: [topic],
    autocommit: false,
    ...(from === "earliest" ? { mode: "earliest" } : { mode: "manual", offsets }),
    ...(strict ? { fallbackMode: "fail" } : {}),
  });
  stream.on("error", full.reject);
  collect(stream, records, () => records.length >= count && full.resolve());
  try {
    await Promise.race([full.promise, sleep(waitMs)]);
  } finally {
    await stream.close().catch(() => {});
    await consumer.close(true).catch(() => {});
  }
  return records;
}

async function listOffsets({ topic, partition, at }) {
  const special = { earliest: -2n, latest: -1n, maxTimestamp: -3n };
  const timestamp = typeof at === "number" ? BigInt(at) : special[at];
  const [found] = await admin.listOffsets({
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  });
  const { offset, timestamp: time } = found.partitions[0];
  return { offset: Number(offset), timestamp: Number(time) };
}

async function groupOpen({ handle, group, topic }) {
  const consumer = new Consumer({
    ...shared,
    groupId: group,
    maxWaitTime: 200,
    heartbeatInterval: 500,
    sessionTimeout: 10000,
    rebalanceTimeout: 10000,
  });
  const stream = await consumer.consume({
    topics: [topic],
    autocommit: false,
    mode: "committed",
    fallbackMode: "earliest",
  });
  const member = { consumer, stream, records: [], positions: new Map(), topic };
  members.set(handle, member);
  stream.on("error", (error) => console.error("stream", error));
  collect(
    stream,
    member.records,
    ({ partition, offset }) => member.positions.set(partition, offset),
  );
}

/**
 * An assignment counts when it has stood for a while: a fetch that was under way when a partition
 * was revoked still brings its records.
 */
function groupState({ handle }) {
  const member = members.get(handle);
  const { consumer, records } = member;
  const list = consumer.isActive() ? consumer.assignments ?? [] : [];
  const assignment = list.flatMap((one) => one.partitions);
  if (String(assignment) !== String(member.seen)) {
    member.seen = assignment;
    member.since = performance.now();
  }
  const stands = performance.now() - member.since > 600;
  return { assignment: stands ? assignment : [], records: records.splice(0) };
}

async function groupCommit({ handle }) {
  const { consumer, positions, topic } = members.get(handle);
  const offsets = [...positions].map(([partition, offset]) => ({
    topic,
    partition,
    offset: offset + 1n,
    leaderEpoch: 0,
  }));
  await consumer.commit({ offsets });
}

async function groupClose({ handle }) {
  const { consumer, stream } = members.get(handle);
  members.delete(handle);
  await stream.close();
  await consumer.close();
}

/**
 * Waits until every partition answers: on a partition that isn't ready, the producer sends the
 * whole request again, those partitions included that had taken their part.
 */
async function createTopic({ topic, partitions, configs }) {
  await admin.createTopics({
    topics: [topic],
    partitions,
    replicas: 1,
    configs: Object.entries(configs ?? {}).map(([name, value]) => ({ name, value })),
  });
  for (let partition = 0, tries = 0; partition < partitions && tries < 100; tries++) {
    const ready = await listOffsets({ topic, partition, at: "latest" }).catch(() => undefined);
    if (ready === undefined) await sleep(50);
    else partition++;
  }
}

async function describeTopic({ topic }) {
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  const partitions = metadata.topics.get(topic).partitions.map((one, id) => ({
    id,
    leader: one.leader,
    replicas: one.replicas,
    isr: one.isr,
  }));
  return { partitions };
}

const resource = (topic) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic });

async function describeConfigs({ topic }) {
  const [found] = await admin.describeConfigs({
    resources: [{ ...resource(topic), configurationKeys: null }],
  });
  return Object.fromEntries(
    found.configs.map((
      { name, value, configSource },
    ) => [name, { value, isDefault: configSource === 5 }]),
  );
}

const OPERATIONS = {
  set: IncrementalAlterConfigOperationTypes.SET,
  delete: IncrementalAlterConfigOperationTypes.DELETE,
  append: IncrementalAlterConfigOperationTypes.APPEND,
  subtract: IncrementalAlterConfigOperationTypes.SUBTRACT,
};

const commands = {
  produce,
  consume,
  listOffsets,
  groupOpen,
  groupState,
  groupCommit,
  groupClose,
  describeTopic,
  describeConfigs,
  createTopic,
  listTopics: () => admin.listTopics(),
  createPartitions: ({ topic, total }) =>
    admin.createPartitions({ topics: [{ name: topic, count: total, assignments: null }] }),
  deleteTopic: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
  alterConfigs: ({ topic, configs }) =>
    admin.alterConfigs({
      resources: [{
        ...resource(topic),
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      }],
    }),
  incrementalAlterConfigs: ({ topic, changes }) =>
    admin.incrementalAlterConfigs({
      resources: [{
        ...resource(topic),
        configs: changes.map(({ name, op, value }) => ({
          name,
          value,
          configOperation: OPERATIONS[op],
        })),
      }],
    }),
  deleteRecords: async ({ topic, partition, before }) => {
    const [found] = await admin.deleteRecords({
      topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }],
    });
    return { low: Number(found.partitions[0].lowWatermark) };
  },
  listGroups: async () => [...(await admin.listGroups()).keys()],
  describeGroup: async ({ group }) => {
    const found = (await admin.describeGroups({ groups: [group] })).get(group);
    return {
      state: found.state,
      protocolType: found.protocolType,
      members: [...found.members.values()].map(({ clientId, assignments }) => ({
        clientId,
        partitions: [...(assignments ?? new Map()).values()].flatMap((one) => one.partitions),
      })),
    };
  },
  deleteGroup: ({ group }) => admin.deleteGroups({ groups: [group] }),
  groupOffsets: async ({ group, topic, partitions }) => {
    const partitionIndexes = [...Array(partitions).keys()];
    const [found] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes }] }],
    });
    return Object.fromEntries(
      found.topics.flatMap((one) =>
        one.partitions.map((p) => [p.partitionIndex, Number(p.committedOffset)])
      ),
    );
  },
  setGroupOffsets: ({ group, topic, offsets }) =>
    admin.alterConsumerGroupOffsets({
      groupId: group,
      topics: [{
        name: topic,
        partitionOffsets: Object.entries(offsets).map(([partition, offset]) => ({
          partition: Number(partition),
          offset: BigInt(offset),
        })),
      }],
    }),
  deleteGroupOffsets: ({ group, topic, partitions }) =>
    admin.deleteConsumerGroupOffsets({
      groupId: group,
      topics: [{ name: topic, partitionIndexes: partitions }],
    })
      .then(() => null),
  describeCluster: async () => {
    const { id, controllerId, brokers } = await admin.metadata({ topics: [], forceUpdate: true });
    return {
      clusterId: id,
      controller: controllerId,
      brokers: [...brokers].map(([nodeId, { host, port }]) => ({ id: nodeId, host, port })),
    };
  },
  describeLogDirs: async ({ topic }) => {
    const brokers = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] });
    const dirs = brokers.flatMap(({ results }) => results);
    return dirs.flatMap((dir) => dir.topics.flatMap((one) => one.partitions)).map((
      one,
    ) => ({
      partition: one.partitionIndex,
      size: Number(one.partitionSize),
    }));
  },
};

serve(
  "platformatic",
  "2.12.1",
  commands,
  ["empty", "gzip", "snappy", "lz4", "zstd", "nullHeaders", "maxTimestamp"],
  (error) => {
    const queue = [error];
    while (queue.length > 0) {
      const one = queue.shift();
      if (typeof one?.apiCode === "number") {
        return { code: one.apiCode, name: one.apiId ?? one.code, message: one.message };
      }
      queue.push(...(one?.errors ?? []), ...(one?.cause ? [one.cause] : []));
    }
    return {
      code: null,
      name: error?.code ?? error?.name ?? "Error",
      message: String(error?.message ?? error),
    };
  },
);
