/** Producing and consuming: complete contents, compression, positions. */
import { assert, assertEquals } from "@std/assert";
import {
  assertDense,
  assertKeysInOrder,
  assertSameRecords,
  base64,
  noise,
  record,
  type WireRecord,
} from "../records.ts";
import type { Context, Feature, Scenario } from "../suite.ts";
import { storedBatches } from "../wire/stored_batches.ts";

const WAIT_MS = 15_000;

/** Everything that may be odd about a record, as far as the client can send it. */
function oddRecords({ agent }: Context): WireRecord[] {
  const header = (
    name: string,
    value: string | Uint8Array,
  ): [string, string] => [name, base64(value)];
  const odd = [
    record(null, "null key"),
    record("null value", null),
    record("ключ 键 🔑", "значение 值 🎁"),
    record("bytes", noise(3000, 7)),
    record("one header", "v", { h: [header("trace", "abc")] }),
    record("headers", "v", { h: [header("a", "1"), header("b", noise(200, 3))] }),
    record("unicode header", "v", { h: [header("заголовок", "✓")] }),
  ];
  if (agent.can("empty")) {
    odd.push(record("empty value", ""), record("", "empty key"));
    odd.push(record("empty header", "v", { h: [header("c", "")] }));
  }
  if (agent.can("dupHeaders")) {
    odd.push(record("twice", "v", { h: [header("x", "1"), header("x", "2")] }));
  }
  if (agent.can("nullHeaders")) odd.push(record("null header", "v", { h: [["none", null]] }));
  return odd;
}

async function defaults(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("defaults");
  await agent.call("createTopic", { topic, partitions: 5 });
  const sent = oddRecords(context);
  for (let index = 0; index < 300; index++) {
    sent.push(record(`key-${index % 40}`, `value ${index}`));
  }
  const { offsets } = await agent.call("produce", { topic, records: sent });
  const count = sent.length;
  const got = await agent.call("consume", {
    topic,
    partitions: 5,
    from: "earliest",
    count,
    waitMs: WAIT_MS,
  });
  assertSameRecords(got, sent);
  assertDense(got);
  assertKeysInOrder(got, sent);
  assert(new Set(got.map((one) => one.p)).size >= 2, "all keys in one partition");
  for (const [index, [p, o]] of (offsets ?? []).entries()) {
    const there = got.find((one) => one.p === p && one.o === o);
    assertEquals([there?.k, there?.v], [sent[index]?.k, sent[index]?.v], `record ${index}`);
  }
}

function compressed(codec: Feature & ("gzip" | "snappy" | "lz4" | "zstd"), id: number): Scenario {
  return {
    criterion: `produces and consumes ${codec}`,
    needs: ["produce", "consume", codec],
    run: async (context) => {
      const topic = context.name(codec);
      await context.agent.call("createTopic", { topic, partitions: 1 });
      const sent = [...Array(200).keys()].map((index) =>
        record(`k${index}`, `the same text again and again ${index} `.repeat(10), {
          h: [["n", base64(`${index}`)]],
          p: 0,
        })
      );
      await context.agent.call("produce", { topic, records: sent, compression: codec });
      const got = await context.agent.call("consume", {
        topic,
        partitions: 1,
        from: "earliest",
        count: sent.length,
        waitMs: WAIT_MS,
      });
      assertSameRecords(got, sent);
      assertDense(got);
      const batches = await storedBatches(context.bootstrap, topic, 0);
      assert(batches.length > 0);
      for (const { codec: stored } of batches) assertEquals(stored, id, "codec of a stored batch");
    },
  };
}

/** Whatever the client sends, the log holds what the topic says, and the client reads it. */
async function compressedByTopic(context: Context): Promise<void> {
  const { agent } = context;
  const codecs = { uncompressed: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
  for (const [codec, id] of Object.entries(codecs)) {
    const topic = context.name(`stored-${codec}`);
    const configs = { "compression.type": codec };
    await agent.call("createTopic", { topic, partitions: 1, configs });
    const sent = [...Array(60).keys()].map((index) =>
      record(`k${index}`, base64(noise(400, index)) + "the same words ".repeat(60), { p: 0 })
    );
    const compression = codec === "uncompressed" ? "gzip" : undefined;
    await agent.call("produce", { topic, records: sent, ...(compression ? { compression } : {}) });
    const args = { topic, partitions: 1, from: "earliest", count: 60, waitMs: WAIT_MS } as const;
    const got = await agent.call("consume", args);
    assertSameRecords(got, sent);
    assertDense(got);
    for (const { codec: stored } of await storedBatches(context.bootstrap, topic, 0)) {
      assertEquals(stored, id, `compression.type=${codec}`);
    }
  }
}

async function big(context: Context): Promise<void> {
  const topic = context.name("big");
  await context.agent.call("createTopic", { topic, partitions: 1 });
  const sent = [1, 2, 3].map((seed) => record(`big-${seed}`, noise(900_000, seed), { p: 0 }));
  for (const one of sent) await context.agent.call("produce", { topic, records: [one] });
  const got = await context.agent.call("consume", {
    topic,
    partitions: 1,
    from: "earliest",
    count: 3,
    waitMs: WAIT_MS,
  });
  assertSameRecords(got, sent);
}

function acknowledged(acks: 0 | 1 | -1): Scenario {
  return {
    criterion: `produces with acks=${acks === -1 ? "all" : acks}`,
    needs: ["produce", "consume"],
    run: async (context) => {
      const topic = context.name(`acks${acks}`);
      await context.agent.call("createTopic", { topic, partitions: 1 });
      const sent = [...Array(50).keys()].map((index) => record(`k${index}`, `v${index}`, { p: 0 }));
      await context.agent.call("produce", { topic, records: sent, acks });
      const args = { topic, partitions: 1, from: "earliest", count: 50, waitMs: WAIT_MS } as const;
      const got = await context.agent.call("consume", args);
      assertSameRecords(got, sent);
      assertDense(got);
    },
  };
}

const BASE_MS = 1_700_000_000_000;

/** Two partitions of 60 records, one each second from BASE_MS. */
async function timed(context: Context, topic: string): Promise<WireRecord[]> {
  await context.agent.call("createTopic", { topic, partitions: 2 });
  const sent = [...Array(120).keys()].map((index) =>
    record(`k${index}`, `v${index}`, { p: index % 2, t: BASE_MS + Math.floor(index / 2) * 1000 })
  );
  for (let start = 0; start < 120; start += 20) {
    await context.agent.call("produce", { topic, records: sent.slice(start, start + 20) });
  }
  return sent;
}

async function positions(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("positions");
  const sent = await timed(context, topic);
  const read = (from: { offset: number } | { timestamp: number }, count: number) =>
    agent.call("consume", { topic, partitions: 2, from, count, waitMs: WAIT_MS });
  const fromOffset = await read({ offset: 37 }, 46);
  assertSameRecords(fromOffset, sent.slice(74));
  assertDense(fromOffset, 37);
  assertEquals(
    fromOffset.map((one) => one.t).sort(),
    sent.slice(74).map((one) => one.t).sort(),
    "timestamps",
  );
  // Between two records: the first one not older counts.
  const fromTime = await read({ timestamp: BASE_MS + 44_500 }, 30);
  assertSameRecords(fromTime, sent.slice(90));
  assertDense(fromTime, 45);
}

async function offsets(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("offsets");
  await timed(context, topic);
  const at = async (spec: "earliest" | "latest" | number) =>
    (await agent.call("listOffsets", { topic, partition: 1, at: spec })).offset;
  assertEquals(await at("earliest"), 0);
  assertEquals(await at("latest"), 60);
  assertEquals(await at(BASE_MS), 0);
  assertEquals(await at(BASE_MS + 30_000), 30);
  assertEquals(await at(BASE_MS + 30_001), 31);
}

export const recordScenarios: readonly Scenario[] = [
  {
    criterion: "produces with its default settings and consumes every record whole",
    needs: ["produce", "consume", "createTopic"],
    run: defaults,
  },
  compressed("gzip", 1),
  compressed("snappy", 2),
  compressed("lz4", 3),
  compressed("zstd", 4),
  {
    criterion: "reads what the topic's compression.type made of its records",
    needs: ["produce", "consume", "createTopic", "gzip", "snappy", "lz4", "zstd"],
    run: compressedByTopic,
  },
  { criterion: "carries records of 900 KB", needs: ["produce", "consume"], run: big },
  acknowledged(0),
  acknowledged(1),
  acknowledged(-1),
  {
    criterion: "consumes from an offset and from a timestamp",
    needs: ["produce", "consume"],
    run: positions,
  },
  {
    criterion: "finds offsets: earliest, latest, by timestamp",
    needs: ["produce", "listOffsets"],
    run: offsets,
  },
];
