import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { encodeAssignment, UNASSIGNED } from "../../core/metadata/assignments.ts";
import { assignmentKey, topicKey } from "../../core/metadata/keys.ts";
import { type TopicChange, TopicRegistry } from "../../core/metadata/topics.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import {
  type MemoryFaults,
  MemoryMetadata,
  type MemoryMetadataView,
} from "../../drivers/metadata/memory/driver.ts";
import { type ManualRuntime, manualRuntime } from "../runtime/manual_runtime.ts";

class Cluster {
  readonly runtime: ManualRuntime = manualRuntime();
  readonly service = new MemoryMetadata(this.runtime);
  readonly views: MemoryMetadataView[] = [];
  readonly #registries: TopicRegistry[] = [];

  async broker(config: Partial<Config> = {}, faults: MemoryFaults = {}): Promise<TopicRegistry> {
    const store = this.service.connect(faults);
    this.views.push(store);
    const registry = new TopicRegistry({
      runtime: this.runtime,
      store,
      config: defaultConfig(config),
    });
    this.#registries.push(registry);
    await registry.start();
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#registries.map((registry) => registry.stop()));
  }
}

const topic = (name: string, partitionCount = 1, configs: [string, string | null][] = []) => ({
  name,
  partitionCount,
  configs,
});

async function createOne(registry: TopicRegistry, name: string, partitions = 1) {
  const [outcome] = await registry.create([topic(name, partitions)]);
  return outcome!;
}

/** A broker's way to the store, on which what its watches have to tell can be held up. */
function holdableWatch() {
  let held = false;
  const waiting: (() => void)[] = [];
  const faults: MemoryFaults = {
    after: (call) => {
      if (call !== "watch" || !held) return;
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
  return {
    faults,
    hold: () => void (held = true),
    release: () => {
      held = false;
      for (const resume of waiting) resume();
    },
  };
}

Deno.test("create() is in the view when it returns, on every broker soon after", async () => {
  await using cluster = new Cluster();
  const [a, b] = [await cluster.broker(), await cluster.broker()];
  const outcome = await createOne(a, "orders", 3);
  assertEquals(outcome.errorCode, ErrorCode.NONE);
  assertMatch(outcome.topic!.id, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
  assertEquals(a.byName("orders"), outcome.topic);
  assertEquals(a.byId(outcome.topic!.id)?.directory, "orders");
  assertEquals(a.partitionCount, 3);
  await cluster.runtime.settle();
  assertEquals(b.byName("orders"), outcome.topic);
  assertEquals([...b.all()].length, 1);
});

Deno.test("create() of 50 rivals of one name makes one topic, and all name it", async () => {
  await using cluster = new Cluster();
  const brokers = await Promise.all(Array.from({ length: 50 }, () => cluster.broker()));
  const outcomes = await Promise.all(brokers.map((broker) => createOne(broker, "orders")));
  const made = outcomes.filter((outcome) => outcome.errorCode === ErrorCode.NONE);
  assertEquals(made.length, 1);
  const id = made[0]!.topic!.id;
  for (const { errorCode, topic } of outcomes) {
    if (errorCode !== 0) assertEquals(errorCode, ErrorCode.TOPIC_ALREADY_EXISTS);
    assertEquals(topic!.id, id);
  }
  for (const broker of brokers) assertEquals(broker.byName("orders")?.id, id);
});

Deno.test("create() of different names on two brokers keeps both", async () => {
  await using cluster = new Cluster();
  const [a, b] = [await cluster.broker(), await cluster.broker()];
  await Promise.all([createOne(a, "a"), createOne(b, "b")]);
  await cluster.runtime.settle();
  assertEquals([...a.all()].map(({ name }) => name).sort(), ["a", "b"]);
});

Deno.test("create() validates names, counts and configs, each topic on its own", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker({ autoCreatePartitions: 4 });
  await createOne(registry, "a.b");
  const outcomes = await registry.create([
    topic("good", -1),
    topic("."),
    topic("sp ace"),
    topic("x".repeat(250)),
    topic("a_b"),
    topic("none", 0),
    topic("huge", 100_001),
    topic("config", 1, [["retention.ms", "soon"]]),
    topic("unknown", 1, [["retention.msec", "1"]]),
    topic("null", 1, [["retention.ms", null]]),
    topic("a.b"),
  ]);
  assertEquals(outcomes.map((outcome) => outcome.errorCode), [
    ErrorCode.NONE,
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    ErrorCode.INVALID_PARTITIONS,
    ErrorCode.INVALID_PARTITIONS,
    ErrorCode.INVALID_CONFIG,
    ErrorCode.INVALID_CONFIG,
    ErrorCode.INVALID_CONFIG,
    ErrorCode.TOPIC_ALREADY_EXISTS,
  ]);
  assertEquals(registry.byName("good")?.partitionCount, 4);
  assertMatch(outcomes[4]!.errorMessage!, /collides with existing topic: a.b/);
  assertMatch(outcomes[8]!.errorMessage!, /did you mean retention.ms/);
  assertEquals(registry.topicCount, 2);
});

Deno.test("create() refuses more partitions than a node takes", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const codes = (await registry.create([topic("a", 100_000), topic("b", 100_000)]))
    .map((outcome) => outcome.errorCode);
  assertEquals(codes, [0, 0]);
  assertEquals((await createOne(registry, "c")).errorCode, ErrorCode.POLICY_VIOLATION);
  const [more] = await registry.addPartitions([{ name: "a", partitionCount: 100_001 }]);
  assertEquals(more!.errorCode, ErrorCode.INVALID_PARTITIONS);
});

Deno.test("create() with validateOnly changes nothing", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const before = cluster.service.revision;
  const [outcome] = await registry.create([topic("orders", 3)], true);
  assertEquals([outcome!.errorCode, outcome!.topic!.partitionCount], [0, 3]);
  assertEquals(cluster.service.revision, before);
});

Deno.test("create() resolves a commit whose reply was lost", async () => {
  await using cluster = new Cluster();
  let lose = true;
  const registry = await cluster.broker({}, {
    after: (call) => {
      if (call !== "commit" || !lose) return;
      lose = false;
      throw new MetadataError("retry", "reply lost");
    },
  });
  const outcome = await createOne(registry, "orders");
  assertEquals(outcome.errorCode, ErrorCode.NONE);
  assertEquals(registry.byName("orders"), outcome.topic);
});

Deno.test("delete() leaves a pending deletion and frees the name, not the directory", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const first = (await createOne(registry, "orders", 2)).topic!;
  const [deleted] = await registry.delete([{ id: first.id }]);
  assertEquals([deleted!.errorCode, deleted!.topic], [0, first]);
  assertEquals(registry.byName("orders"), undefined);
  assertEquals(registry.byId(first.id), undefined);
  assertEquals(registry.pendingDeletions(), [
    { id: first.id, name: "orders", directory: "orders", partitionCount: 2, sweptAtMs: 0 },
  ]);
  const second = (await createOne(registry, "orders")).topic!;
  assertNotEquals(second.id, first.id);
  assertEquals(second.directory, `orders~${second.id.slice(0, 8)}`);
  await registry.noteSwept(first.id, 7);
  assertEquals(registry.pendingDeletions(), []);
  await registry.noteSwept(first.id, 8);
  assertEquals(registry.tombstones().map(({ id, sweptAtMs }) => [id, sweptAtMs]), [[first.id, 7]]);
  await registry.finishDeletion(first.id);
  assertEquals(registry.tombstones(), []);
  await registry.finishDeletion(first.id);
  await registry.delete([{ name: "orders" }]);
  const other = await cluster.broker();
  assertEquals(other.pendingDeletions().map(({ id }) => id), [second.id]);
  assertEquals((await createOne(other, "orders")).topic!.directory.startsWith("orders~"), true);
});

Deno.test("delete() takes the topic's assignment record with it, whoever leads", async () => {
  await using cluster = new Cluster();
  const a = await cluster.broker();
  const { id } = (await createOne(a, "orders")).topic!;
  const key = assignmentKey(id);
  const owner = { brokerId: 2, brokerEpoch: 1 };
  const record = { topicId: id, partitions: [{ ...UNASSIGNED, target: 2, owner }] };
  cluster.service.commit({ if: [], then: [{ put: key, value: encodeAssignment(record) }] });
  await a.delete([{ name: "orders" }]);
  // else a broker that has not heard of the deletion could still be made the leader
  assertEquals(cluster.service.get(key), undefined);
});

Deno.test("the directory of a long name that is used again has at most 255 bytes", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const name = "n".repeat(249);
  const first = (await createOne(registry, name)).topic!;
  assertEquals(first.directory, name);
  await registry.delete([{ name }]);
  const second = (await createOne(registry, name)).topic!;
  assertEquals(second.directory, `${"n".repeat(246)}~${second.id.slice(0, 8)}`);
});

Deno.test("delete() of what is not there is told apart by name and id", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const outcomes = await registry.delete([{ name: "none" }, { id: "A".repeat(22) }]);
  assertEquals(outcomes.map(({ errorCode }) => errorCode), [
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID,
  ]);
});

Deno.test("delete() by a broker behind the times spares a new topic of the name", async () => {
  await using cluster = new Cluster();
  const current = await cluster.broker();
  const watch = holdableWatch();
  const behind = await cluster.broker({}, watch.faults);
  const old = (await createOne(current, "orders")).topic!;
  await cluster.runtime.settle();
  watch.hold();
  await current.delete([{ name: "orders" }]);
  const young = (await createOne(current, "orders")).topic!;
  assertEquals(behind.byName("orders")?.id, old.id);
  const [outcome] = await behind.delete([{ name: "orders" }]);
  assertEquals(outcome!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assertEquals(current.byName("orders")?.id, young.id);
  watch.release();
  await cluster.runtime.settle();
  assertEquals(behind.byName("orders")?.id, young.id);
});

Deno.test("knows() asks for what the watch has not told, and says where it cannot", async () => {
  await using cluster = new Cluster();
  const current = await cluster.broker();
  const watch = holdableWatch();
  const behind = await cluster.broker({}, watch.faults);
  watch.hold();
  const { topic: made } = await createOne(current, "orders");
  await cluster.runtime.settle();
  assertEquals(behind.byName("orders"), undefined);
  const late = behind.knows(["orders"]);
  await cluster.runtime.advance(20_000);
  assertEquals(await late, false, "it is there, and the view does not get it");
  const known = behind.knows(["orders", "nothing"]);
  await cluster.runtime.settle();
  watch.release();
  await cluster.runtime.settle();
  assertEquals(await known, true);
  assertEquals(behind.byName("orders"), made);
  cluster.views[1]!.disconnect();
  assertEquals(await behind.knows(["orders"]), true, "no need to ask");
  assertEquals(await behind.knows(["orders", "nothing"]), false);
  cluster.views[1]!.reconnect();
  await cluster.runtime.advance(10_000);
});

Deno.test("addPartitions() only adds", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  const { id } = (await createOne(registry, "orders", 3)).topic!;
  const counts = [3, 2, 0, 5];
  const codes = [];
  for (const partitionCount of counts) {
    const [outcome] = await registry.addPartitions([{ name: "orders", partitionCount }]);
    codes.push(outcome!.errorCode);
  }
  assertEquals(codes, [37, 37, 37, 0]);
  assertEquals(registry.byId(id)?.partitionCount, 5);
  assertEquals(registry.partitionCount, 5);
});

Deno.test("alterConfigs() of 20 rivals loses none of their changes", async () => {
  await using cluster = new Cluster();
  const brokers = await Promise.all(Array.from({ length: 20 }, () => cluster.broker()));
  await createOne(brokers[0]!, "orders");
  await cluster.runtime.settle();
  const names = [...Array(20).keys()].map((at) => `${at}:0`);
  await Promise.all(brokers.map((broker, at) =>
    broker.alterConfigs([{
      name: "orders",
      change: (now) => {
        const list = now.get("leader.replication.throttled.replicas");
        const next = list === undefined ? names[at]! : `${list},${names[at]}`;
        return new Map([...now, ["leader.replication.throttled.replicas", next]]);
      },
    }])
  ));
  const value = brokers[0]!.byName("orders")!.configs.get("leader.replication.throttled.replicas");
  assertEquals(value!.split(",").sort(), names.toSorted());
});

Deno.test("onChange() tells creation, change and deletion in order", async () => {
  await using cluster = new Cluster();
  const [a, b] = [await cluster.broker(), await cluster.broker()];
  const seen: string[] = [];
  const tell = (change: TopicChange) => void seen.push(`${change.type} ${change.topic.name}`);
  const stop = b.onChange(tell);
  await createOne(a, "orders");
  await a.addPartitions([{ name: "orders", partitionCount: 2 }]);
  await a.delete([{ name: "orders" }]);
  await createOne(a, "orders");
  await cluster.runtime.settle();
  assertEquals(seen, ["created orders", "changed orders", "deleted orders", "created orders"]);
  stop();
  await createOne(a, "more");
  await cluster.runtime.settle();
  assertEquals(seen.length, 4);
});

Deno.test("the view survives an outage, and catches up by itself", async () => {
  await using cluster = new Cluster();
  const [a, b] = [await cluster.broker(), await cluster.broker()];
  await createOne(a, "before");
  cluster.views[0]!.disconnect();
  await cluster.runtime.settle();
  assert(a.byName("before") !== undefined);
  assertEquals((await createOne(a, "during")).errorCode, ErrorCode.REQUEST_TIMED_OUT);
  await b.delete([{ name: "before" }]);
  await createOne(b, "before");
  await createOne(b, "after");
  const seen: string[] = [];
  a.onChange((change) => void seen.push(`${change.type} ${change.topic.name}`));
  cluster.views[0]!.reconnect();
  await cluster.runtime.advance(10_000);
  assertEquals(seen.sort(), ["created after", "created before", "deleted before"]);
  assertEquals(a.byName("before"), b.byName("before"));
  assertEquals((await createOne(a, "during")).errorCode, ErrorCode.NONE);
});

Deno.test("the view lists again when the watch's history is compacted", async () => {
  const runtime = manualRuntime();
  const service = new MemoryMetadata(runtime, { watch: { historyBatches: 3, historyBytes: 1e6 } });
  const view = service.connect();
  const registry = new TopicRegistry({ runtime, store: view, config: defaultConfig() });
  await registry.start();
  view.disconnect();
  const other = new TopicRegistry({ runtime, store: service.connect(), config: defaultConfig() });
  await other.start();
  for (let at = 0; at < 10; at++) await createOne(other, `topic-${at}`);
  view.reconnect();
  await runtime.advance(10_000);
  assertEquals(registry.topicCount, 10);
  await Promise.all([registry.stop(), other.stop()]);
});

Deno.test("start() refuses a damaged record and names its key", async () => {
  await using cluster = new Cluster();
  const registry = await cluster.broker();
  await createOne(registry, "orders");
  const key = topicKey("orders");
  await cluster.views[0]!.commit({ if: [], then: [{ put: key, value: new Uint8Array(20) }] });
  await cluster.runtime.settle();
  assert(registry.byName("orders") !== undefined, "the running broker keeps what it knew");
  try {
    await cluster.broker();
    throw new Error("started");
  } catch (error) {
    assert(error instanceof MetadataError);
    assertMatch(error.message, /topics\/live\/orders/);
  }
});
