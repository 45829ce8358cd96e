/**
 * Bad input, on raw sockets: the broker answers Kafka's error or closes the connection, other
 * clients don't notice, memory and file descriptors stay bounded.
 */
import { assert, assertEquals } from "@std/assert";
import { targetIsApache } from "./broker_process.ts";
import { noise } from "./records.ts";
import { openBroker } from "./suite.ts";
import { waitUntil } from "./wait_until.ts";
import { RawWriter } from "./wire/bytes.ts";
import { GoodClient } from "./wire/good_client.ts";
import {
  batch,
  createTopic,
  oldMessage,
  produce,
  produceBody,
  readProduce,
} from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";
import { fetchBody, readFetch } from "./wire/stored_batches.ts";

const OFFSET_OUT_OF_RANGE = 1;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const MESSAGE_TOO_LARGE = 10;
const INVALID_REQUIRED_ACKS = 21;
const UNSUPPORTED_VERSION = 35;
const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const INVALID_RECORD = 87;

/** The good client may wait this long when the machine is busy. */
const DISTURBED_MS = 2500;
/** Growth of the resident set that abuse may cause. */
const GROWTH_LIMIT_BYTES = 160 * 1048576;

const value = (text: string) => new TextEncoder().encode(text);

async function start() {
  const broker = await openBroker();
  const good = await GoodClient.start(broker.bootstrap);
  const setup = await RawConnection.open(broker.bootstrap);
  const topic = `abuse-${crypto.randomUUID().slice(0, 8)}`;
  await createTopic(setup, topic, 2);
  await waitUntil("the topic", async () => {
    const { errorCode } = await produce(setup, topic, 0, batch([value("first")]));
    return errorCode === 0 ? true : undefined;
  });
  setup.close();
  return { broker, good, topic, bootstrap: broker.bootstrap };
}

/** Apache Kafka runs out of memory in what is heavy here, so it is no measure for that. */
const OURS = !targetIsApache() && !Deno.env.has("KAFSCALE_TEST_BOOTSTRAP");

type Running = Awaited<ReturnType<typeof start>>;
let running: Promise<Running> | undefined;

function test(criterion: string, run: (at: Running) => Promise<void>, heavy = false): void {
  Deno.test({
    name: `abuse: ${criterion}`,
    ignore: heavy && !OURS,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      running ??= start();
      const at = await running;
      const before = at.good.take().rounds;
      try {
        await run(at);
      } catch (error) {
        console.error(at.broker.process?.tail(10) ?? "");
        throw error;
      }
      await waitUntil("the good client", () => at.good.take().rounds > before ? true : undefined);
      const { slowestMs } = at.good.take();
      assert(slowestMs < DISTURBED_MS, `the good client waited ${slowestMs} ms`);
    },
  });
}

/** Fails when the broker keeps the connection open, or answers. */
async function assertClosed(connection: RawConnection, what: string): Promise<void> {
  const answer = await connection.read(5000).catch((error) => {
    throw new Error(`${what}: ${error.message}`);
  });
  assert(answer === undefined, `${what} was answered`);
  connection.close();
}

/** Resident growth over a run, in bytes; 0 where it isn't ours to judge. */
async function growth({ broker }: Running, run: () => Promise<void>): Promise<number> {
  const { process } = broker;
  if (process === undefined || !OURS) {
    await run();
    return 0;
  }
  const before = await process.residentBytes();
  await run();
  return await process.residentBytes() - before;
}

/** Descriptors come back when the clients are gone. */
async function assertDescriptorsFreed({ broker }: Running, before: number | undefined) {
  if (before === undefined || broker.process === undefined) return;
  const { process } = broker;
  await waitUntil("closed descriptors", async () => {
    return await process.openFiles() <= before + 5 ? true : undefined;
  }, 10_000);
}

test("bytes that are no frame close the connection", async (at) => {
  const texts = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\x16\x03\x01\x02\x00",
  ];
  for (const text of texts) {
    const connection = await RawConnection.open(at.bootstrap);
    await connection.write(value(text));
    await assertClosed(connection, JSON.stringify(text));
  }
});

test("negative and huge sizes close the connection, nothing is allocated", async (at) => {
  const grown = await growth(at, async () => {
    for (const size of [-1, -2147483648, 2147483647, 1_900_000_000]) {
      const connection = await RawConnection.open(at.bootstrap);
      await connection.write(new RawWriter().int32(size).bytes());
      await assertClosed(connection, `size ${size}`);
    }
  });
  assert(grown < GROWTH_LIMIT_BYTES, `${grown} bytes more`);
});

test("frames of noise close the connection", async (at) => {
  for (let seed = 1; seed <= 60; seed++) {
    const connection = await RawConnection.open(at.bootstrap);
    const bytes = noise(seed * 7, seed);
    await connection.write(new RawWriter().int32(bytes.length).raw(bytes).bytes());
    await connection.closeWrite();
    // An answer is allowed when the noise happens to be a request; then comes the end.
    for (let frames = 0; await connection.read(5000) !== undefined; frames++) assert(frames < 10);
    connection.close();
  }
});

test("requests with a damaged body close the connection or get an error", async (at) => {
  for (let api = 0; api <= 75; api++) {
    for (const version of [0, 2, 5, 9]) {
      const connection = await RawConnection.open(at.bootstrap);
      // A count of 2^31 - 1 must not be believed.
      const body = new RawWriter().int32(2147483647).raw(noise(90, api * 10 + version + 1));
      await connection.send(api, version, body);
      await connection.closeWrite();
      for (let frames = 0; await connection.read(8000) !== undefined; frames++) assert(frames < 10);
      connection.close();
    }
  }
});

test("an unknown API key closes the connection", async (at) => {
  for (const key of [9999, -1, 500]) {
    const connection = await RawConnection.open(at.bootstrap);
    await connection.send(key, 0, new RawWriter());
    await assertClosed(connection, `API key ${key}`);
  }
});

test("ApiVersions of an unknown version is answered as v0", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const answer = await connection.request(18, 99, new RawWriter().int8(0).int8(0));
  assertEquals(answer.int16(), UNSUPPORTED_VERSION);
  const ranges = new Map<number, [number, number]>();
  for (let left = answer.int32(); left > 0; left--) {
    ranges.set(answer.int16(), [answer.int16(), answer.int16()]);
  }
  assertEquals(answer.left, 0);
  const [oldest, newest] = ranges.get(18) ?? [-1, -1];
  assert(oldest === 0 && newest >= 3, `ApiVersions ${oldest} to ${newest}`);
  // The connection goes on with a version that is known.
  assertEquals((await connection.request(18, 0, new RawWriter())).int16(), 0);
});

test("an unsupported version of another API is refused", async (at) => {
  for (const [api, version] of [[3, 99], [0, 99], [1, 0], [0, 0], [0, 2]] as const) {
    const connection = await RawConnection.open(at.bootstrap);
    await connection.send(api, version, new RawWriter().int32(0).int32(0).int32(0).int32(0));
    // Kafka closes; an answer with UNSUPPORTED_VERSION is as good, any other is not.
    const answer = await connection.read(5000);
    if (answer !== undefined) {
      answer.int32();
      const bytes = answer.raw(answer.left);
      assert(bytes.includes(UNSUPPORTED_VERSION), `API ${api} version ${version} was served`);
    }
    connection.close();
  }
});

test("a batch with a wrong CRC is CORRUPT_MESSAGE", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const good = batch([value("a"), value("b")]);
  for (const position of [17, 30, good.length - 2]) {
    const bad = good.slice();
    bad[position] = bad[position]! ^ 1;
    const { errorCode } = await produce(connection, at.topic, 0, bad);
    assertEquals(errorCode, CORRUPT_MESSAGE, `bit at ${position}`);
  }
});

test("batches of the old formats are refused", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  for (const magic of [0, 1] as const) {
    const { errorCode } = await produce(connection, at.topic, 0, oldMessage(magic, value("old")));
    const fitting = [INVALID_RECORD, UNSUPPORTED_FOR_MESSAGE_FORMAT];
    assert(fitting.includes(errorCode), `magic ${magic} got error ${errorCode}`);
  }
});

test("cut, empty, null and doubled batches are refused", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const good = batch([value("whole")]);
  const doubled = new Uint8Array([...good, ...good]);
  const cases: [string, Uint8Array | null][] = [
    ["cut in the records", good.slice(0, good.length - 3)],
    ["cut in the header", good.slice(0, 40)],
    ["cut in the length", good.slice(0, 9)],
    ["empty", new Uint8Array(0)],
    ["two batches", doubled],
  ];
  // Apache Kafka 4.1 never answers null.
  if (OURS) cases.push(["null", null]);
  for (const [what, records] of cases) {
    const { errorCode } = await produce(connection, at.topic, 0, records);
    const fitting = [CORRUPT_MESSAGE, INVALID_RECORD, 42];
    assert(fitting.includes(errorCode), `${what} got error ${errorCode}`);
  }
});

test("acks, partition, offset and size out of range get their errors", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const body = produceBody(at.topic, 0, batch([value("x")]), 5);
  assertEquals(readProduce(await connection.request(0, 3, body)).errorCode, INVALID_REQUIRED_ACKS);
  const elsewhere = await produce(connection, at.topic, 77, batch([value("x")]));
  assertEquals(elsewhere.errorCode, UNKNOWN_TOPIC_OR_PARTITION);
  const unknown = await produce(connection, "no-such-topic", 0, batch([value("x")]));
  assertEquals(unknown.errorCode, UNKNOWN_TOPIC_OR_PARTITION);
  const large = await produce(connection, at.topic, 0, batch([noise(1_500_000, 1)]));
  assertEquals(large.errorCode, MESSAGE_TOO_LARGE);
  for (const offset of [-5, 1_000_000]) {
    const fetched = readFetch(await connection.request(1, 4, fetchBody(at.topic, 0, offset)));
    assertEquals(fetched.errorCode, OFFSET_OUT_OF_RANGE, `offset ${offset}`);
  }
});

test("an idempotent producer's repeat is recognised, its gap is refused", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const init = await waitUntil("a producer id", async () => {
    const answer = await connection.request(22, 0, new RawWriter().string(null).int32(60_000));
    answer.int32();
    return answer.int16() === 0 ? answer : undefined;
  });
  const [producerId, producerEpoch] = [init.int64(), init.int16()];
  const send = (baseSequence: number) =>
    produce(
      connection,
      at.topic,
      1,
      batch([value("s")], { producerId, producerEpoch, baseSequence }),
    );
  const first = await send(0);
  assertEquals(first.errorCode, 0);
  const second = await send(1);
  assertEquals(second, { errorCode: 0, baseOffset: first.baseOffset + 1 });
  assertEquals(await send(0), first, "the first again");
  assertEquals(await send(1), second, "the second again");
  assertEquals((await send(5)).errorCode, OUT_OF_ORDER_SEQUENCE_NUMBER);
  const third = await send(2);
  assertEquals(third, { errorCode: 0, baseOffset: second.baseOffset + 1 });
});

test("a thousand pipelined requests are answered in order", async (at) => {
  using connection = await RawConnection.open(at.bootstrap);
  const sent: number[] = [];
  for (let index = 0; index < 1000; index++) {
    sent.push(await connection.send(18, 0, new RawWriter()));
  }
  for (const correlation of sent) assertEquals((await connection.read())?.int32(), correlation);
});

test("half-open connections cost little and are forgotten", async (at) => {
  const before = await at.broker.process?.openFiles();
  const grown = await growth(at, async () => {
    const connections: RawConnection[] = [];
    for (let index = 0; index < 300; index++) {
      const connection = await RawConnection.open(at.bootstrap);
      // A frame of 50 MB is announced, but never comes.
      await connection.write(new RawWriter().int32(50_000_000).int16(0).int16(3).bytes());
      connections.push(connection);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const connection of connections) connection.close();
  });
  console.log(`300 announced frames of 50 MB: ${Math.round(grown / 1048576)} MiB more`);
  assert(grown < GROWTH_LIMIT_BYTES, `${grown} bytes more`);
  await assertDescriptorsFreed(at, before);
}, true);

test("a consumer that never reads costs bounded memory", async (at) => {
  using writer = await RawConnection.open(at.bootstrap);
  for (let seed = 1; seed <= 20; seed++) {
    const { errorCode } = await produce(writer, at.topic, 0, batch([noise(900_000, seed)]));
    assertEquals(errorCode, 0);
  }
  const grown = await growth(at, async () => {
    const connections: RawConnection[] = [];
    for (let index = 0; index < 20; index++) {
      const connection = await RawConnection.open(at.bootstrap);
      // 20 connections × 50 fetches of up to 10 MB = 10 GB of answers nobody reads.
      for (let fetch = 0; fetch < 50; fetch++) {
        await connection.send(1, 4, fetchBody(at.topic, 0, fetch % 20));
      }
      connections.push(connection);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
    if (at.broker.process !== undefined) {
      const now = Math.round(await at.broker.process.residentBytes() / 1048576);
      console.log(`20 consumers that never read: ${now} MiB resident`);
    }
    for (const connection of connections) connection.close();
  });
  assert(grown < GROWTH_LIMIT_BYTES, `${grown} bytes more`);
}, true);

test("two thousand connections are served and forgotten", async (at) => {
  const before = await at.broker.process?.openFiles();
  const connections: RawConnection[] = [];
  for (let index = 0; index < 2000; index++) {
    connections.push(await RawConnection.open(at.bootstrap));
  }
  for (const connection of connections) await connection.send(18, 0, new RawWriter());
  for (const connection of connections) {
    const answer = await connection.read();
    answer?.int32();
    assertEquals(answer?.int16(), 0);
  }
  for (const connection of connections) connection.close();
  await assertDescriptorsFreed(at, before);
}, true);

test("clients that vanish in the middle of everything leave nothing", async (at) => {
  const before = await at.broker.process?.openFiles();
  for (let index = 0; index < 200; index++) {
    const connection = await RawConnection.open(at.bootstrap);
    // A long fetch that waits, then the client is gone.
    await connection.send(1, 4, fetchBody(at.topic, 1, 3, 30_000));
    if (index % 2 === 0) await connection.write(new RawWriter().int32(500).int16(0).bytes());
    connection.close();
  }
  await assertDescriptorsFreed(at, before);
}, true);

Deno.test({
  name: "abuse: the good client was never disturbed",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    running ??= start();
    const { good, broker } = await running;
    await waitUntil("a round", () => good.take().rounds > 0 ? true : undefined);
    const unknown = broker.process?.log.filter((line) => line.includes("UNKNOWN_SERVER_ERROR")) ??
      [];
    assertEquals(unknown, []);
  },
});

Deno.test.afterAll(async () => {
  const at = await running?.catch(() => undefined);
  await at?.good.stop();
  await at?.broker.close();
});
