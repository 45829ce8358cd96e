/** A whole broker on etcd: real clients, and outages of etcd under load (I10). */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { Etcd } from "../services/etcd.ts";
import { BrokerProcess, targetIsApache } from "./broker_process.ts";
import { haveTools } from "./requirement.ts";
import { waitUntil } from "./wait_until.ts";
import { RawWriter } from "./wire/bytes.ts";
import { commitOffset } from "./wire/commit_offset.ts";
import { GoodClient } from "./wire/good_client.ts";
import { batch, createTopic, produce } from "./wire/produce.ts";
import { RawConnection } from "./wire/raw_connection.ts";
import { freePort } from "../services/free_port.ts";

const TIMED_OUT = 7;
const LOAD_IN_PROGRESS = 14;
const COORDINATOR_NOT_AVAILABLE = 15;

/** Every answer within twice the broker's time-out: a write, and its reading back. */
const TIMEOUT_MS = 2_000;
const BOUND_MS = 2 * TIMEOUT_MS + 3_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function kcat(bootstrap: string, args: string, input = ""): Promise<string> {
  const child = new Deno.Command("kcat", {
    args: ["-b", bootstrap, ...args.split(" ")],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, `kcat ${args}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** OffsetFetch v1; the committed offset. */
async function committedOffset(at: RawConnection, topic: string): Promise<number> {
  const body = new RawWriter().string("simple").int32(1).string(topic).int32(1).int32(0);
  const answer = await at.request(9, 1, body);
  answer.int32();
  answer.string();
  answer.int32();
  answer.int32();
  return Number(answer.int64());
}

/** InitProducerId v0 of an idempotent producer; the error code. */
async function initProducerId(at: RawConnection): Promise<number> {
  const answer = await at.request(22, 0, new RawWriter().string(null).int32(60_000));
  answer.int32();
  return answer.int16();
}

/** Runs `call` on a connection of its own: its error code, in bounded time. */
async function bounded(
  broker: BrokerProcess,
  call: (at: RawConnection) => Promise<number>,
): Promise<number> {
  using connection = await RawConnection.open(broker.bootstrap);
  const started = performance.now();
  const code = await call(connection);
  assertLess(performance.now() - started, BOUND_MS);
  return code;
}

async function withBroker(run: (etcd: Etcd, broker: BrokerProcess) => Promise<void>) {
  await using etcd = await Etcd.start();
  await using broker = await BrokerProcess.start({
    env: {
      KAFSCALE_ETCD_ENDPOINTS: etcd.list,
      KAFSCALE_ETCD_TIMEOUT_MS: String(TIMEOUT_MS),
      KAFSCALE_GROUP_INITIAL_REBALANCE_DELAY_MS: "100",
    },
  });
  try {
    await run(etcd, broker);
    const crashed = broker.log.filter((line) => /uncaught|unhandled|invariant/i.test(line));
    assertEquals(crashed, []);
  } catch (error) {
    console.error(broker.tail(30));
    throw error;
  }
}

function test(criterion: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `broker on etcd: ${criterion}`,
    ignore: targetIsApache(),
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

/** What holds while etcd is away, and that it is over when `back` has brought it back. */
async function outage(
  broker: BrokerProcess,
  away: () => Promise<void> | void,
  back: () => Promise<void> | void,
) {
  const good = await GoodClient.start(broker.bootstrap);
  assertEquals(await bounded(broker, (at) => commitOffset(at, good.topic, 1)), 0);
  await away();
  good.take();
  for (let round = 0; round < 2; round++) {
    const codes = await Promise.all([
      bounded(broker, (at) => commitOffset(at, good.topic, 2)),
      bounded(broker, (at) => createTopic(at, "during", 1)),
      bounded(broker, initProducerId),
    ]);
    assertEquals(codes, [COORDINATOR_NOT_AVAILABLE, TIMED_OUT, LOAD_IN_PROGRESS]);
  }
  await pause(2_000);
  const { rounds, slowestMs } = good.take();
  // with the s3 driver there are four commits a second
  assert(rounds > 10, `${rounds} rounds of produce and fetch`);
  assertLess(slowestMs, 2_000);
  await back();
  await waitUntil("group commits work again", async () => {
    return await bounded(broker, (at) => commitOffset(at, good.topic, 3)) === 0 ? true : undefined;
  }, 10_000);
  await waitUntil("topics can be created again", async () => {
    const code = await bounded(broker, (at) => createTopic(at, "during", 1));
    // the one that was answered with a time-out may have been created
    return code === 0 || code === 36 ? true : undefined;
  }, 10_000);
  assertEquals(await bounded(broker, initProducerId), 0);
  using connection = await RawConnection.open(broker.bootstrap);
  assertEquals(await committedOffset(connection, good.topic), 3);
  await good.stop();
}

if (haveTools("broker on etcd", "etcd", "kcat")) {
  test("serves kcat, and everything is there after kill -9", () =>
    withBroker(async (_etcd, broker) => {
      await kcat(broker.bootstrap, "-P -t first -p 0", "1\n2\n3\n");
      const group = "-G g -X auto.offset.reset=earliest -q -c";
      assertEquals(await kcat(broker.bootstrap, `${group} 2 first`), "1\n2\n");
      await broker.kill();
      await broker.restart();
      assertEquals(
        await kcat(broker.bootstrap, "-C -t first -p 0 -o beginning -e -q"),
        "1\n2\n3\n",
      );
      assertEquals(await kcat(broker.bootstrap, `${group} 1 first`), "3\n");
      const files = [...Deno.readDirSync(broker.dataDir)].map(({ name }) => name);
      const inBucket = Deno.env.has("KAFSCALE_TEST_STORE");
      assertEquals(files, inBucket ? [] : ["objects"], "nothing of metadata is kept on this disk");
      assertEquals(await broker.terminate(), 0);
    }));

  test("an etcd that is down disturbs no led partition, and leaves no trace", () =>
    withBroker(async (etcd, broker) => {
      const [member] = etcd.members;
      await outage(broker, () => member!.kill(), () => member!.start());
    }));

  test("an etcd that hangs disturbs no led partition, and leaves no trace", () =>
    withBroker(async (etcd, broker) => {
      const [member] = etcd.members;
      await outage(broker, () => member!.pause(), () => member!.resume());
    }));

  test("an outage costs no processor time, and SIGTERM ends the broker in it", () =>
    withBroker(async (etcd, broker) => {
      await kcat(broker.bootstrap, "-P -t first -p 0", "1\n");
      await etcd.members[0]!.kill();
      await pause(2_000);
      const before = await broker.cpuMs();
      await pause(4_000);
      assertLess(await broker.cpuMs() - before, 800);
      assertLess(await broker.openFiles(), 100);
      const started = performance.now();
      assertEquals(await broker.terminate(), 0);
      assertLess(performance.now() - started, 8_000);
    }));

  test("does not start without it, and says what to do in one sentence", async () => {
    const started = performance.now();
    const endpoint = `127.0.0.1:${freePort()}`;
    const env = { KAFSCALE_ETCD_ENDPOINTS: endpoint, KAFSCALE_ETCD_TIMEOUT_MS: "1000" };
    const message = await BrokerProcess.start({ env }).then(
      async (broker) => {
        await broker.stop();
        throw new Error("it started");
      },
      (error: Error) => error.message,
    );
    assertMatch(message, /exit code 1\n/);
    assertMatch(message, /\nkafscale start: metadata cannot be reached \(.*\); start etcd, or /);
    assertLess(performance.now() - started, 10_000);
  });

  test("ends when etcd lost its newest writes, and goes on with all records when restarted", () =>
    withBroker(async (etcd, broker) => {
      const [member] = etcd.members;
      await kcat(broker.bootstrap, "-P -t first -p 0", "1\n2\n");
      await member!.stop();
      const copy = await member!.setAside();
      await member!.start();
      using connection = await RawConnection.open(broker.bootstrap);
      await waitUntil("etcd is back", async () => {
        return await createTopic(connection, "later", 1) === 0 ? true : undefined;
      });
      const value = batch([new TextEncoder().encode("3")]);
      assertEquals((await produce(connection, "first", 0, value)).errorCode, 0);
      await member!.stop();
      await member!.putBack(copy);
      await member!.start();
      assertEquals(await broker.ended(), 1);
      assert(broker.tail(20).includes("went back from revision"));
      await broker.restart();
      const read = await kcat(broker.bootstrap, "-C -t first -p 0 -o beginning -e -q");
      assertEquals(read, "1\n2\n3\n");
    }));
}
