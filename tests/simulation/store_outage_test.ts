/** What clients are told while the object store is away, slow, and after: one broker. */
import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../core/broker.ts";
import { concat } from "../../core/bytes/mod.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { listOffsets } from "../../core/protocol/messages/02_list_offsets.ts";
import { produce } from "../../core/protocol/messages/00_produce.ts";
import { createTopics } from "../../core/protocol/messages/19_create_topics.ts";
import { deleteRecords } from "../../core/protocol/messages/21_delete_records.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import { sleep } from "../../core/runtime/sleep.ts";
import { EventLoop } from "./event_loop.ts";
import { Prng } from "./prng.ts";
import { buildBatch, readBatches } from "./record_batch.ts";
import { CALM_NETWORK, SimNetwork } from "./sim_network.ts";
import { SimProcess } from "./sim_process.ts";
import { simRuntime } from "./sim_runtime.ts";
import { Wire } from "./wire.ts";

const PORT = 9092;
const { KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT, OUT_OF_ORDER_SEQUENCE_NUMBER } = ErrorCode;

class World {
  readonly loop = new EventLoop();
  readonly prng = new Prng("outage");
  readonly faults = { ...CALM, latencyMinMs: 1, latencyMaxMs: 2 };
  readonly lines: string[] = [];
  broker!: Awaited<ReturnType<typeof createBroker>>;
  wire!: Wire;
  topicId = "";
  /** What every read of the store takes longer, and how many there were. */
  slowReads = { ms: 0, count: 0 };
  #network!: SimNetwork;

  /** Runs the world until `work` is done. */
  async until<T>(work: Promise<T>, limitMs = 120_000): Promise<T> {
    let done = false;
    const end = () => void (done = true);
    work.then(end, end);
    await this.loop.run(this.loop.nowMs + limitMs, 1e6, () => done);
    assert(done, "it takes for ever");
    return await work;
  }

  async pass(ms: number): Promise<void> {
    await this.loop.run(this.loop.nowMs + ms, 1e6);
  }

  async start(cacheBytes = 4 << 20): Promise<void> {
    const { loop, prng } = this;
    const network = new SimNetwork(loop, prng.fork("network"), { ...CALM_NETWORK });
    this.#network = network;
    const process = new SimProcess(loop, "broker");
    const runtime = simRuntime(process, prng.fork("broker"), network, (_, level, text, fields) => {
      this.lines.push(`${level} ${text} ${fields}`);
    });
    this.broker = await this.until(createBroker({
      config: defaultConfig({
        brokerAddr: `10.0.0.1:${PORT}`,
        storage: "memory",
        metadata: "memory",
        cacheBytes,
        compactionIntervalMs: 1_000,
      }),
      runtime,
      store: this.#store(runtime),
      metadata: new MemoryMetadata(runtime).connect(),
    }));
    this.wire = await this.connect("client");
    const topics = [{ name: "t", numPartitions: 3, replicationFactor: 1 }];
    const body = { topics, timeoutMs: 1_000, validateOnly: false };
    const created = await this.until(this.wire.request(createTopics, 7, body, 5_000));
    this.topicId = created.topics[0]!.topicId;
  }

  /** A connection of its own. */
  async connect(name: string): Promise<Wire> {
    const client = new SimProcess(this.loop, name);
    return (await this.until(Wire.open(client, this.#network, PORT)))!;
  }

  #store(runtime: Runtime): ObjectStore {
    const store = memoryStore(new MemoryObjects(), runtime, this.faults);
    const { get } = store;
    store.get = async (...args) => {
      this.slowReads.count++;
      if (this.slowReads.ms > 0) await sleep(runtime.timers, this.slowReads.ms);
      return await get.apply(store, args);
    };
    return store;
  }

  /** `code` and `baseOffset` of one batch, and how long it took. */
  async produce(partition: number, sequence: number, timeoutMs = 5_000) {
    const sentMs = this.loop.nowMs;
    const values = [`${partition}-${sequence}`];
    const producer = { producerId: 5, producerEpoch: 0, baseSequence: sequence };
    const records = buildBatch({ values, timestampMs: 1_000_000 + sequence, ...producer });
    const partitionData = [{ index: partition, records }];
    const answer = await this.wire.request(produce, 13, {
      transactionalId: null,
      acks: -1,
      timeoutMs,
      topicData: [{ topicId: this.topicId, partitionData }],
    }, 60_000);
    const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!;
    return { code: errorCode, baseOffset, ms: this.loop.nowMs - sentMs };
  }

  /** All records of the partition, by as many fetches as it takes. */
  async fetch(partition: number, from = 0): ReturnType<World["fetchOnce"]> {
    const first = await this.fetchOnce(partition, from);
    const at = from + first.values.length;
    if (first.code !== 0 || at >= first.highWatermark) return first;
    const rest = await this.fetch(partition, at);
    return { ...rest, values: [...first.values, ...rest.values] };
  }

  async fetchOnce(partition: number, fetchOffset: number, maxWaitMs = 0, wire = this.wire) {
    const sentMs = this.loop.nowMs;
    const partitions = [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }];
    const answer = await wire.request(fetch, 13, {
      maxWaitMs,
      minBytes: 1,
      maxBytes: 1_000_000,
      isolationLevel: 0,
      topics: [{ topicId: this.topicId, partitions }],
    }, 60_000);
    const { errorCode, records, highWatermark } = answer.responses[0]!.partitions[0]!;
    const values = readBatches(concat(records ?? [])).map(({ value }) => value);
    return { code: errorCode, values, highWatermark, ms: this.loop.nowMs - sentMs };
  }

  async offsetAt(partition: number, timestamp: number) {
    const sentMs = this.loop.nowMs;
    const answer = await this.wire.request(listOffsets, 5, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: "t", partitions: [{ partitionIndex: partition, timestamp }] }],
    }, 60_000);
    const { errorCode } = answer.topics[0]!.partitions[0]!;
    return { code: errorCode, ms: this.loop.nowMs - sentMs };
  }

  get state(): string {
    return this.broker.storeView.health().state;
  }

  outage(kind: "refusedUntilMs" | "pausedUntilMs", forMs: number): void {
    this.faults[kind] = this.loop.nowMs + forMs;
  }

  async stop(): Promise<void> {
    this.wire.close();
    await this.until(this.broker.stop());
  }
}

for (const kind of ["refusedUntilMs", "pausedUntilMs"] as const) {
  Deno.test(`an outage of 30 s: waits, then refusals, then all goes on (${kind})`, async () => {
    const world = new World();
    await world.start();
    assertEquals((await world.until(world.produce(0, 0))).baseOffset, 0);
    await world.until(world.produce(1, 0));
    world.outage(kind, 30_000);
    // Sent before anybody knows: it waits as long as its client said.
    const appended = await world.until(world.produce(0, 1));
    assertEquals(appended.code, REQUEST_TIMED_OUT);
    assertEquals(Math.round(appended.ms / 1_000), 5);
    assertEquals(world.state, "unavailable");
    const refused = await world.until(world.produce(0, 2));
    assertEquals(refused.code, KAFKA_STORAGE_ERROR);
    assert(refused.ms < 50, `a refusal took ${refused.ms} ms`);
    const cached = await world.until(world.fetch(1));
    assertEquals(cached.values, ["1-0"]);
    // A partition that is not loaded needs the store. Nobody but probes has read: give them time.
    await world.pass(2_000);
    const unloaded = await world.until(world.fetch(2));
    assertEquals(unloaded.code, KAFKA_STORAGE_ERROR);
    assert(unloaded.ms < 50, `a refusal took ${unloaded.ms} ms`);
    // Consumers that ask again at once, as Java's do, are held back a little.
    const patient = await world.until(world.fetchOnce(2, 0, 5_000));
    assertEquals(patient.code, KAFKA_STORAGE_ERROR);
    assert(patient.ms >= 500 && patient.ms < 550, `a refusal took ${patient.ms} ms`);

    await world.pass(26_000);
    assertEquals(world.state, "degraded");
    // What waited is committed: its retry is known, and what was refused follows.
    assertEquals((await world.until(world.produce(0, 1))).baseOffset, 1);
    assertEquals((await world.until(world.produce(0, 2))).baseOffset, 2);
    assertEquals((await world.until(world.fetch(0))).values, ["0-0", "0-1", "0-2"]);
    await world.pass(30_000);
    assertEquals(world.state, "healthy");
    const told = world.lines.filter((line) => /^(info|warn|error) the object store is/.test(line));
    assertEquals(told.length, 3, told.join("\n"));
    await world.stop();
  });
}

Deno.test("an outage of two seconds is back-pressure: nobody is refused", async () => {
  const world = new World();
  await world.start();
  await world.until(world.produce(0, 0));
  world.outage("refusedUntilMs", 2_000);
  const [first, second] = await world.until(
    Promise.all([world.produce(0, 1), world.produce(0, 2)]),
  );
  assertEquals([first.code, first.baseOffset, second.code, second.baseOffset], [0, 1, 0, 2]);
  assertEquals(world.state, "healthy");
  await world.stop();
});

Deno.test("reads that hang when the store goes away are answered soon", async () => {
  const world = new World();
  await world.start(0);
  for (let sequence = 0; sequence < 3; sequence++) await world.until(world.produce(0, sequence));
  await world.pass(20_000);
  world.outage("pausedUntilMs", 60_000);
  const fetched = await world.until(world.fetch(0));
  assertEquals(fetched.code, KAFKA_STORAGE_ERROR);
  assert(fetched.ms < 4_000, `${fetched.ms} ms`);
  const listed = await world.until(world.offsetAt(0, 1_000_001));
  assertEquals(listed.code, KAFKA_STORAGE_ERROR);
  assert(listed.ms < 4_000, `${listed.ms} ms`);
  assertEquals((await world.until(world.offsetAt(0, -1))).code, 0);
  await world.pass(60_000);
  assertEquals((await world.until(world.fetch(0))).values, ["0-0", "0-1", "0-2"]);
  await world.stop();
});

Deno.test("DeleteRecords does not wait for a store that is away", async () => {
  const world = new World();
  await world.start();
  await world.until(world.produce(0, 0));
  world.outage("refusedUntilMs", 60_000);
  const ask = async () => {
    const partitions = [{ partitionIndex: 0, offset: 1 }];
    const body = { topics: [{ name: "t", partitions }], timeoutMs: 2_000 };
    const answer = await world.wire.request(deleteRecords, 2, body, 60_000);
    return answer.topics[0]!.partitions[0]!.errorCode;
  };
  assertEquals(await world.until(ask()), REQUEST_TIMED_OUT);
  await world.pass(2_000);
  assertEquals(await world.until(ask()), KAFKA_STORAGE_ERROR);
  await world.pass(70_000);
  assertEquals(await world.until(ask()), 0);
  await world.stop();
});

Deno.test("a batch behind a refused one waits its turn, though the partition is new", async () => {
  const world = new World();
  await world.start();
  // Partition 0 finds out; the others have never been written to.
  await world.until(world.produce(0, 0));
  world.outage("refusedUntilMs", 10_000);
  await world.until(world.produce(0, 1));
  assertEquals((await world.until(world.produce(1, 0))).code, KAFKA_STORAGE_ERROR);
  await world.pass(12_000);
  assertEquals((await world.until(world.produce(1, 1))).code, OUT_OF_ORDER_SEQUENCE_NUMBER);
  assertEquals((await world.until(world.produce(1, 0))).code, 0);
  assertEquals((await world.until(world.produce(1, 1))).baseOffset, 1);
  assertEquals((await world.until(world.fetch(1))).values, ["1-0", "1-1"]);
  await world.stop();
});

Deno.test("producers that wait for memory are refused when the store goes away", async () => {
  const world = new World();
  await world.start();
  const large = "x".repeat(900_000);
  const send = (sequence: number) => {
    const records = buildBatch({
      values: [large],
      timestampMs: 0,
      producerId: 9,
      producerEpoch: 0,
      baseSequence: sequence,
    });
    const topicData = [{ topicId: world.topicId, partitionData: [{ index: 0, records }] }];
    const body = { transactionalId: null, acks: -1, timeoutMs: 50_000, topicData };
    return world.wire.request(produce, 13, body, 60_000);
  };
  await world.until(world.produce(0, 0));
  world.outage("refusedUntilMs", 20_000);
  const sentMs = world.loop.nowMs;
  const codes: (readonly [number, number])[] = [];
  const answers = Array.from({ length: 30 }, async (_, sequence) => {
    const answer = await send(sequence);
    const seconds = Math.round((world.loop.nowMs - sentMs) / 1_000);
    codes.push([answer.responses[0]!.partitionResponses[0]!.errorCode, seconds]);
  });
  await world.until(Promise.all(answers));
  const refused = codes.filter(([code]) => code === KAFKA_STORAGE_ERROR);
  const kept = codes.filter(([code]) => code === 0);
  assertEquals(refused.length + kept.length, 30, JSON.stringify(codes));
  assert(refused.length >= 5 && kept.length >= 15, JSON.stringify(codes));
  await world.stop();
});

Deno.test("readers that catch up from a slow store hold up nobody else", async () => {
  const world = new World();
  await world.start(8 << 20);
  // More than the cache holds.
  const values = ["x".repeat(100_000)];
  for (let sequence = 0; sequence < 150; sequence++) {
    const batch = buildBatch({ values, timestampMs: 0, producerId: -1, producerEpoch: -1 });
    const topicData = [{
      topicId: world.topicId,
      partitionData: [{ index: 0, records: batch }],
    }];
    const body = { transactionalId: null, acks: -1, timeoutMs: 5_000, topicData };
    await world.until(world.wire.request(produce, 13, body, 60_000));
  }
  const readers: Wire[] = [];
  for (const name of ["a", "b", "c"]) readers.push(await world.connect(name));
  const tail = await world.connect("tail");
  world.slowReads = { ms: 400, count: 0 };
  const catchUp = readers.map(async (wire) => {
    let offset = 0;
    while (offset < 150) offset += (await world.fetchOnce(0, offset, 0, wire)).values.length;
  });
  let over = 0;
  for (const each of catchUp) each.then(() => over++);
  for (let sequence = 0; sequence < 100; sequence++) {
    const waiting = world.fetchOnce(1, sequence, 1_000, tail);
    const { code, ms } = await world.until(world.produce(1, sequence));
    assertEquals(code, 0);
    assert(ms < 20, `an answer took ${ms} ms`);
    const sentMs = world.loop.nowMs;
    assertEquals((await world.until(waiting)).values, [`1-${sequence}`]);
    assert(world.loop.nowMs - sentMs < 20, `the tail came ${world.loop.nowMs - sentMs} ms later`);
    await world.pass(20);
  }
  assert(world.slowReads.count >= 5 && over < 3, "nobody caught up meanwhile");
  await world.until(Promise.all(catchUp));
  await world.stop();
});
