/** Consumer groups: rebalances without gap or repetition, commit and resume. */
import { assertEquals } from "@std/assert";
import type { Agent } from "../agent.ts";
import { assertSameRecords, record, type WireRecord } from "../records.ts";
import type { Context, Scenario } from "../suite.ts";
import { waitUntil } from "../wait_until.ts";

const PARTITIONS = 4;

/** Members of one group, each with all the records it has got so far. */
class Members {
  readonly got = new Map<string, WireRecord[]>();
  readonly assigned = new Map<string, number[]>();

  constructor(
    readonly agent: Agent,
    readonly group: string,
    readonly topic: string,
    readonly options: { assignor?: string; protocol?: "classic" | "consumer" } = {},
  ) {}

  async open(handle: string, instanceId?: string): Promise<void> {
    this.got.set(handle, []);
    this.assigned.set(handle, []);
    const { agent, group, topic } = this;
    const identity = instanceId === undefined ? {} : { instanceId };
    await agent.call("groupOpen", {
      handle: this.#handle(handle),
      group,
      topic,
      ...this.options,
      ...identity,
    });
  }

  async poll(): Promise<void> {
    for (const [handle, got] of this.got) {
      const state = await this.agent.call("groupState", { handle: this.#handle(handle) });
      got.push(...state.records);
      this.assigned.set(handle, state.assignment);
    }
  }

  /** Waits until the open members own all partitions, each partition one owner. */
  async settled(): Promise<void> {
    await waitUntil(`${this.got.size} members to own ${PARTITIONS} partitions`, async () => {
      await this.poll();
      const owned = [...this.assigned.values()];
      const all = owned.flat().sort((a, b) => a - b);
      const complete = all.length === PARTITIONS && all.every((id, index) => id === index);
      return complete && owned.every((list) => list.length > 0) ? true : undefined;
    });
  }

  /** Waits until as many records have come, then takes them from all members. */
  async take(count: number): Promise<WireRecord[]> {
    const total = () => [...this.got.values()].reduce((sum, list) => sum + list.length, 0);
    await waitUntil(`${count} records in the group`, async () => {
      await this.poll();
      return total() >= count ? true : undefined;
    });
    const taken = [...this.got.values()].flat();
    for (const handle of this.got.keys()) this.got.set(handle, []);
    return taken;
  }

  async commit(): Promise<void> {
    for (const handle of this.got.keys()) {
      await this.agent.call("groupCommit", { handle: this.#handle(handle) });
    }
  }

  async close(handle: string): Promise<void> {
    await this.poll();
    this.got.delete(handle);
    this.assigned.delete(handle);
    await this.agent.call("groupClose", { handle: this.#handle(handle) });
  }

  #handle(handle: string): string {
    return `${this.group}/${handle}`;
  }
}

/** Produces records to every partition and returns them. */
async function send(agent: Agent, topic: string, label: string): Promise<WireRecord[]> {
  const records = [...Array(80).keys()].map((index) =>
    record(`k${index}`, `${label} ${index}`, { p: index % PARTITIONS })
  );
  await agent.call("produce", { topic, records });
  return records;
}

async function committed(agent: Agent, group: string, topic: string): Promise<number[]> {
  if (!agent.can("groupOffsets")) return [];
  const offsets = await agent.call("groupOffsets", { group, topic, partitions: PARTITIONS });
  return [...Array(PARTITIONS).keys()].map((partition) => offsets[partition] ?? -1);
}

/** Each batch is seen once, by whoever owns the partition: alone, together, alone again. */
async function rebalance(
  context: Context,
  options: { assignor?: string; protocol?: "classic" | "consumer" } = {},
): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("rebalance"), context.name("group")];
  await agent.call("createTopic", { topic, partitions: PARTITIONS });
  const members = new Members(agent, group, topic, options);
  const first = await send(agent, topic, "alone");
  await members.open("a");
  await members.settled();
  assertSameRecords(await members.take(first.length), first);
  await members.commit();

  await members.open("b");
  await members.settled();
  const second = await send(agent, topic, "together");
  assertSameRecords(await members.take(second.length), second);
  await members.commit();

  await members.close("a");
  await members.settled();
  const third = await send(agent, topic, "alone again");
  assertSameRecords(await members.take(third.length), third);
  await members.commit();
  await members.close("b");
  const ends = await committed(agent, group, topic);
  if (ends.length > 0) assertEquals(ends, Array(PARTITIONS).fill(60), "committed offsets");
}

/** What was committed is not read again, what was not committed is. */
async function resume(context: Context): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("resume"), context.name("group")];
  await agent.call("createTopic", { topic, partitions: PARTITIONS });
  const members = new Members(agent, group, topic);
  const first = await send(agent, topic, "committed");
  await members.open("a");
  assertSameRecords(await members.take(first.length), first);
  await members.commit();
  const second = await send(agent, topic, "not committed");
  assertSameRecords(await members.take(second.length), second);
  await members.close("a");

  await members.open("a");
  const third = await send(agent, topic, "later");
  assertSameRecords(await members.take(second.length + third.length), [...second, ...third]);
  await members.close("a");
}

/** A static member that comes back within its session gets its partitions without a rebalance. */
async function staticMember(context: Context): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("static"), context.name("group")];
  await agent.call("createTopic", { topic, partitions: PARTITIONS });
  const members = new Members(agent, group, topic);
  await members.open("a", "instance-a");
  await members.open("b", "instance-b");
  await members.settled();
  const sent = await send(agent, topic, "static");
  assertSameRecords(await members.take(sent.length), sent);
  await members.commit();
  const before = [...members.assigned.get("b") ?? []].sort();
  await members.close("b");
  await members.open("b", "instance-b");
  await members.settled();
  assertEquals([...members.assigned.get("b") ?? []].sort(), before, "partitions after the return");
  const later = await send(agent, topic, "later");
  assertSameRecords(await members.take(later.length), later);
  await members.close("a");
  await members.close("b");
}

async function describe(context: Context): Promise<void> {
  const { agent } = context;
  const [topic, group] = [context.name("describe"), context.name("group")];
  await agent.call("createTopic", { topic, partitions: PARTITIONS });
  const members = new Members(agent, group, topic);
  await members.open("a");
  await members.settled();
  const stable = await waitUntil("a stable group", async () => {
    const found = await agent.call("describeGroup", { group });
    return found.state === "Stable" && found.members.length === 1 ? found : undefined;
  });
  assertEquals(stable.protocolType, "consumer");
  const partitions = [...stable.members[0]?.partitions ?? []].sort();
  assertEquals(partitions, [0, 1, 2, 3]);
  await members.close("a");
  const empty = await waitUntil("an empty group", async () => {
    const found = await agent.call("describeGroup", { group });
    return found.state !== "Stable" ? found : undefined;
  });
  assertEquals([empty.state, empty.members], ["Empty", []]);
}

export const groupScenarios: readonly Scenario[] = [
  {
    criterion: "a second member joins and leaves: the group sees every record once",
    needs: ["groupOpen", "groupState", "groupCommit"],
    run: (context) => rebalance(context),
  },
  {
    criterion: "rebalances with the cooperative-sticky assignor",
    needs: ["groupOpen", "assignors"],
    run: (context) => rebalance(context, { assignor: "cooperative-sticky" }),
  },
  {
    criterion: "rebalances with the range assignor",
    needs: ["groupOpen", "assignors"],
    run: (context) => rebalance(context, { assignor: "range" }),
  },
  {
    criterion: "resumes from its commit after a restart of the consumer",
    needs: ["groupOpen", "groupState", "groupCommit"],
    run: resume,
  },
  {
    criterion: "a static member returns to its partitions",
    needs: ["groupOpen", "static"],
    run: staticMember,
  },
  {
    criterion: "describes a group with a member, and empty",
    needs: ["groupOpen", "describeGroup"],
    run: describe,
  },
];
