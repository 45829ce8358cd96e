/**
 * @confluentinc/kafka-javascript (librdkafka) as an agent, run by node with the addon's folder as
 * the last argument but one.
 */
import { createRequire } from "node:module";
import process from "node:process";
import { base64, bootstrap, bytes, serve, sleep } from "./agent_loop.mjs";

const folder = process.argv[process.argv.length - 2];
const rdkafka = createRequire(`${folder}/`)("@confluentinc/kafka-javascript");
const { AdminClient, KafkaConsumer, Producer, OffsetSpec } = rdkafka;

const shared = {
  "bootstrap.servers": bootstrap,
  "client.id": "librdkafka-node",
  "allow.auto.create.topics": false,
  // The default of 30 s only delays the answer that a topic is unknown.
  "topic.metadata.propagation.max.ms": 1000,
  "topic.metadata.refresh.interval.ms": 1000,
};

/** A node-style call as a promise. */
function call(start) {
  return new Promise((resolve, reject) =>
    start((error, value) => error ? reject(error) : resolve(value))
  );
}

const producers = new Map();

/** One producer for each set of settings. */
function producerFor(settings) {
  const key = JSON.stringify(settings);
  let found = producers.get(key);
  if (found === undefined) {
    found = (async () => {
      const producer = new Producer({ ...shared, dr_cb: true, ...settings });
      await call((done) => producer.connect({}, done));
      producer.setPollInterval(5);
      producer.on("delivery-report", (error, report) => {
        const { resolve, reject } = report.opaque;
        if (error) reject(error);
        else resolve([report.partition, report.offset]);
      });
      return producer;
    })();
    producers.set(key, found);
  }
  return found;
}

async function produce({ topic, records, compression, acks, timeoutMs }) {
  const producer = await producerFor({
    ...(compression === undefined ? {} : { "compression.type": compression, "linger.ms": 50 }),
    ...(acks === undefined ? {} : { acks }),
    ...(timeoutMs === undefined
      ? {}
      : { "message.timeout.ms": timeoutMs, "message.max.bytes": 10000000 }),
  });
  const offsets = await Promise.all(records.map(({ p, t, k, v, h }) => {
    const sent = Promise.withResolvers === undefined ? deferred() : Promise.withResolvers();
    const headers = h.map(([name, value]) => ({ [name]: bytes(value) }));
    producer.produce(topic, p, bytes(v), bytes(k), t ?? undefined, sent, headers);
    return sent.promise;
  }));
  return { offsets };
}

function deferred() {
  let resolve, reject;
  const promise = new Promise((one, other) => [resolve, reject] = [one, other]);
  return { promise, resolve, reject };
}

function received({ partition, offset, timestamp, key, value, headers }) {
  const h = (headers ?? []).flatMap((one) => Object.entries(one)).map((
    [name, part],
  ) => [name, base64(part)]);
  return { p: partition, o: offset, t: timestamp, k: base64(key), v: base64(value), h };
}

async function openConsumer(settings, topicSettings) {
  const consumer = new KafkaConsumer(
    { ...shared, "enable.auto.commit": false, ...settings },
    topicSettings,
  );
  await call((done) => consumer.connect({}, done));
  consumer.setDefaultConsumeTimeout(100);
  return consumer;
}

async function consume({ topic, partitions, from, count, waitMs, strict }) {
  const consumer = await openConsumer(
    { "group.id": "librdkafka-node-reader", "check.crcs": true },
    { "auto.offset.reset": strict ? "error" : "earliest" },
  );
  try {
    let starts = [...Array(partitions).keys()].map((partition) => ({
      topic,
      partition,
      offset: from.offset ?? -2,
    }));
    if (from.timestamp !== undefined) {
      const asked = starts.map((one) => ({ ...one, offset: from.timestamp }));
      starts = await call((done) => consumer.offsetsForTimes(asked, 10000, done));
    }
    consumer.assign(starts);
    const records = [];
    for (const end = Date.now() + waitMs; records.length < count && Date.now() < end;) {
      const batch = await call((done) =>
        consumer.consume(Math.min(500, count - records.length), done)
      );
      records.push(...batch.map(received));
    }
    return records;
  } finally {
    await call((done) => consumer.disconnect(done)).catch(() => {});
  }
}

const watermarks = openConsumer({ "group.id": "librdkafka-node-offsets" }, {});
const admin = AdminClient.create(shared);

async function listOffsets({ topic, partition, at }) {
  if (typeof at === "number") {
    const [found] = await call(async (done) =>
      (await watermarks).offsetsForTimes([{ topic, partition, offset: at }], 10000, done)
    );
    return { offset: found.offset };
  }
  const specs = {
    earliest: OffsetSpec.EARLIEST,
    latest: OffsetSpec.LATEST,
    maxTimestamp: OffsetSpec.MAX_TIMESTAMP,
  };
  const [found] = await call((done) =>
    admin.listOffsets([{ topic, partition, offset: specs[at] }], {}, done)
  );
  if (found.error) throw found.error;
  return { offset: found.offset, timestamp: Number(found.timestamp) };
}

const members = new Map();

async function groupOpen({ handle, group, topic, assignor, instanceId, protocol }) {
  const member = {
    topic,
    records: [],
    positions: new Map(),
    open: true,
    done: undefined,
    consumer: undefined,
  };
  const classic = protocol === "consumer"
    ? {}
    : { "session.timeout.ms": 6000, "heartbeat.interval.ms": 500 };
  member.consumer = await openConsumer({
    "group.id": group,
    ...classic,
    ...(assignor === undefined ? {} : { "partition.assignment.strategy": assignor }),
    ...(instanceId === undefined ? {} : { "group.instance.id": instanceId }),
    ...(protocol === undefined ? {} : { "group.protocol": protocol }),
  }, { "auto.offset.reset": "earliest" });
  members.set(handle, member);
  member.consumer.subscribe([topic]);
  member.done = pollMember(member);
}

async function pollMember(member) {
  while (member.open) {
    try {
      for (const one of await call((done) => member.consumer.consume(100, done))) {
        member.records.push(received(one));
        member.positions.set(one.partition, one.offset + 1);
      }
    } catch (error) {
      console.error("poll", error);
      await sleep(100);
    }
  }
}

function groupState({ handle }) {
  const { consumer, records } = members.get(handle);
  return {
    assignment: consumer.assignments().map((one) => one.partition),
    records: records.splice(0),
  };
}

function groupCommit({ handle }) {
  const { consumer, positions, topic } = members.get(handle);
  consumer.commitSync([...positions].map(([partition, offset]) => ({ topic, partition, offset })));
}

async function groupClose({ handle }) {
  const member = members.get(handle);
  members.delete(handle);
  member.open = false;
  await member.done;
  await call((done) => member.consumer.disconnect(done));
}

async function describeTopic({ topic }) {
  const [found] = await call((done) => admin.describeTopics([topic], {}, done));
  if (found.error) throw found.error;
  const ids = (nodes) => nodes.map((node) => node.id);
  const partitions = found.partitions.map((one) => ({
    id: one.partition,
    leader: one.leader.id,
    replicas: ids(one.replicas),
    isr: ids(one.isr),
  }));
  return { partitions };
}

async function describeGroup({ group }) {
  const { groups } = await call((done) => admin.describeGroups([group], {}, done));
  const [found] = groups;
  if (found.error) throw found.error;
  const states = [
    "Unknown",
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
  ];
  return {
    state: states[found.state],
    protocolType: found.protocolType,
    members: found.members.map((one) => ({
      clientId: one.clientId,
      partitions: (one.assignment?.topicPartitions ?? []).map((part) => part.partition),
    })),
  };
}

/** Results that carry their own errors. */
function checked(results) {
  for (const { error } of results) if (error) throw error;
}

const commands = {
  produce,
  consume,
  listOffsets,
  groupOpen,
  groupState,
  groupCommit,
  groupClose,
  describeTopic,
  describeGroup,
  createTopic: ({ topic, partitions, configs }) =>
    call((done) =>
      admin.createTopic(
        { topic, num_partitions: partitions, replication_factor: 1, config: configs ?? {} },
        10000,
        done,
      )
    ),
  listTopics: () => call((done) => admin.listTopics({}, done)),
  createPartitions: ({ topic, total }) =>
    call((done) => admin.createPartitions(topic, total, 10000, done)),
  deleteTopic: ({ topic }) => call((done) => admin.deleteTopic(topic, 10000, done)),
  deleteRecords: async ({ topic, partition, before }) => {
    const [found] = await call((done) =>
      admin.deleteRecords([{ topic, partition, offset: before }], {}, done)
    );
    if (found.error) throw found.error;
    return { low: found.lowWatermark };
  },
  listGroups: async () =>
    (await call((done) => admin.listGroups({}, done))).groups.map((one) => one.groupId),
  deleteGroup: async ({ group }) => {
    const results = await call((done) => admin.deleteGroups([group], {}, done));
    checked(results);
  },
  groupOffsets: async ({ group, topic, partitions }) => {
    const asked = [...Array(partitions).keys()].map((partition) => ({ topic, partition }));
    const [found] = await call((done) =>
      admin.listConsumerGroupOffsets([{ groupId: group, partitions: asked }], {}, done)
    );
    if (found.error) throw found.error;
    return Object.fromEntries(found.partitions.map((one) => [one.partition, one.offset ?? -1]));
  },
};

const features = [
  "gzip",
  "snappy",
  "lz4",
  "zstd",
  "dupHeaders",
  "offsets",
  "strict",
  "assignors",
  "static",
  "maxTimestamp",
];
serve("librdkafka-node", rdkafka.librdkafkaVersion, commands, features, (error) => {
  const code = error?.code ?? error?.errno ?? null;
  return {
    code: typeof code === "number" && code > 0 ? code : null,
    name: code === null ? error?.name ?? "Error" : `librdkafka ${code}`,
    message: String(error?.message ?? error),
  };
});
