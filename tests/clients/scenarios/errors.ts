/** What the broker refuses reaches the client as Kafka's own error. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { AgentError } from "../agent.ts";
import { noise, record } from "../records.ts";
import type { Context, Scenario } from "../suite.ts";

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const MESSAGE_TOO_LARGE = 10;
const OFFSET_OUT_OF_RANGE = 1;
const INVALID_TOPIC_EXCEPTION = 17;
const TOPIC_ALREADY_EXISTS = 36;
const INVALID_PARTITIONS = 37;
const INVALID_CONFIG = 40;
const NON_EMPTY_GROUP = 68;
const GROUP_ID_NOT_FOUND = 69;

/** The call fails with this code; a code of the client's own must have a text that fits. */
async function refused(call: Promise<unknown>, code: number, text: RegExp): Promise<void> {
  const error = await assertRejects(() => call, AgentError);
  if (error.code === null) assert(text.test(error.message), error.message);
  else assertEquals(error.code, code, error.message);
}

async function unknownTopic(context: Context): Promise<void> {
  const topic = context.name("nobody-made-it");
  const records = [record("k", "v", { p: 0 })];
  await refused(
    context.agent.call("produce", { topic, records, timeoutMs: 2500 }),
    UNKNOWN_TOPIC_OR_PARTITION,
    /unknown topic|not host this topic|timed? ?out|not present in metadata|UnknownTopic|not exist/i,
  );
  assertEquals((await context.agent.call("listTopics", {})).includes(topic), false);
}

async function tooLarge(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("small");
  await agent.call("createTopic", {
    topic,
    partitions: 1,
    configs: { "max.message.bytes": "2000" },
  });
  const records = [record("k", noise(5000, 1), { p: 0 })];
  await refused(
    agent.call("produce", { topic, records, timeoutMs: 2500 }),
    MESSAGE_TOO_LARGE,
    /too large|larger than/i,
  );
  const fits = [record("k", noise(500, 1), { p: 0 })];
  await agent.call("produce", { topic, records: fits });
  assertEquals((await agent.call("listOffsets", { topic, partition: 0, at: "latest" })).offset, 1);
}

async function outOfRange(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("short");
  await agent.call("createTopic", { topic, partitions: 1 });
  await agent.call("produce", { topic, records: [record("k", "v", { p: 0 })] });
  const args = { topic, partitions: 1, from: { offset: 500 }, count: 1, waitMs: 5000 } as const;
  await refused(
    agent.call("consume", { ...args, strict: true }),
    OFFSET_OUT_OF_RANGE,
    /out of range|no offset to automatically reset/i,
  );
}

async function badTopics(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("exists");
  const create = (topic: string, partitions: number, configs: Record<string, string> = {}) =>
    agent.call("createTopic", { topic, partitions, configs });
  await create(topic, 1);
  await refused(create(topic, 1), TOPIC_ALREADY_EXISTS, /exists/i);
  await refused(create("no spaces/or slashes", 1), INVALID_TOPIC_EXCEPTION, /invalid/i);
  await refused(create(context.name("none"), 0), INVALID_PARTITIONS, /partition/i);
  const wrong = { "retention.ms": "soon" };
  await refused(create(context.name("wrong"), 1, wrong), INVALID_CONFIG, /config|retention/i);
  const unknown = { "no.such.config": "1" };
  await refused(create(context.name("unknown"), 1, unknown), INVALID_CONFIG, /config/i);
}

async function badPartitions(context: Context): Promise<void> {
  const { agent } = context;
  const topic = context.name("partitions");
  await agent.call("createTopic", { topic, partitions: 3 });
  await refused(
    agent.call("createPartitions", { topic, total: 2 }),
    INVALID_PARTITIONS,
    /partition/i,
  );
  await refused(
    agent.call("createPartitions", { topic: context.name("absent"), total: 2 }),
    UNKNOWN_TOPIC_OR_PARTITION,
    /unknown|not host/i,
  );
}

async function badDelete(context: Context): Promise<void> {
  await refused(
    context.agent.call("deleteTopic", { topic: context.name("absent") }),
    UNKNOWN_TOPIC_OR_PARTITION,
    /unknown|not host/i,
  );
}

async function badGroups(context: Context): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("topic"), context.name("busy")];
  await agent.call("createTopic", { topic, partitions: 1 });
  const absent = agent.call("deleteGroup", { group: context.name("absent") });
  await refused(absent, GROUP_ID_NOT_FOUND, /not found|does not exist/i);
  await agent.call("groupOpen", { handle: group, group, topic });
  for (let tries = 0; tries < 200; tries++) {
    const { assignment } = await agent.call("groupState", { handle: group });
    if (assignment.length === 1) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await refused(agent.call("deleteGroup", { group }), NON_EMPTY_GROUP, /not empty/i);
  await agent.call("groupClose", { handle: group });
}

export const errorScenarios: readonly Scenario[] = [
  {
    criterion: "is told that a topic is unknown, and nothing creates it",
    needs: ["produce", "listTopics"],
    run: unknownTopic,
  },
  {
    criterion: "is told that a record is too large",
    needs: ["produce", "listOffsets"],
    run: tooLarge,
  },
  {
    criterion: "is told that an offset is out of range",
    needs: ["consume", "strict"],
    run: outOfRange,
  },
  { criterion: "is told why a topic can't be created", needs: ["createTopic"], run: badTopics },
  {
    criterion: "is told why partitions can't be added",
    needs: ["createPartitions"],
    run: badPartitions,
  },
  {
    criterion: "is told that a topic to delete is unknown",
    needs: ["deleteTopic"],
    run: badDelete,
  },
  {
    criterion: "is told why a group can't be deleted",
    needs: ["deleteGroup", "groupOpen"],
    run: badGroups,
  },
];
