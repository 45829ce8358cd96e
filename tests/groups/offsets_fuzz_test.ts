/**
 * Random commits, deletions and restarts against a store that refuses calls and loses replies: what
 * was acknowledged is there, what was refused may be, and nothing else ever is.
 */
import { assert } from "@std/assert";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import type { MemoryFaults } from "../../drivers/metadata/memory/driver.ts";
import { mulberry32 } from "../runtime/manual_runtime.ts";
import { commit, type Scene, scene } from "./scene.ts";

const GROUPS = ["g", "h", "g/h"];
const PARTITIONS = [0, 1, 2, 3];

class Model {
  readonly #possible = new Map<string, Set<number>>();

  possible(groupId: string, partition: number): Set<number> {
    const key = `${groupId}|${partition}`;
    const known = this.#possible.get(key) ?? new Set([-1]);
    this.#possible.set(key, known);
    return known;
  }

  /** `certain`: the values are all that the offset can be now. */
  set(groupId: string, partition: number, values: Iterable<number>, certain: boolean): void {
    const known = this.possible(groupId, partition);
    if (certain) known.clear();
    for (const value of values) known.add(value);
  }
}

function faulty(random: () => number, rate: { percent: number }): MemoryFaults {
  const fail = () => {
    if (random() % 100 < rate.percent) throw new MetadataError("retry", "fault");
  };
  return { before: fail, after: fail };
}

async function commits(made: Scene, model: Model, random: () => number, next: () => number) {
  const groupId = GROUPS[random() % GROUPS.length]!;
  const batch = Array.from({ length: 1 + random() % 4 }, () => {
    const partitions = PARTITIONS.filter(() => random() % 2 === 0);
    return { partitions, value: next() };
  });
  const codes = await Promise.all(
    batch.map(({ partitions, value }) => commit(made, partitions, value, { groupId })),
  );
  for (const partition of PARTITIONS) {
    const mine = batch
      .map(({ partitions, value }, at) => ({ at: partitions.indexOf(partition), value, code: at }))
      .filter(({ at }) => at >= 0)
      .map(({ at, value, code }) => ({ value, ok: codes[code]![at] === ErrorCode.NONE }));
    // requests of one moment go in order, so one that was acknowledged hides those before it
    const last = mine.findLastIndex(({ ok }) => ok);
    const rest = mine.slice(Math.max(last, 0)).map(({ value }) => value);
    model.set(groupId, partition, rest, last >= 0);
  }
}

async function fetches(made: Scene, model: Model, random: () => number) {
  const groupId = GROUPS[random() % GROUPS.length]!;
  const reply = await made.groups.fetchOffsets({
    groupId,
    topics: [{ name: "t", partitionIndexes: PARTITIONS }],
    requireStable: random() % 2 === 0,
  });
  if (reply.errorCode !== ErrorCode.NONE) return;
  for (const { partitionIndex, committedOffset } of reply.topics[0]!.partitions) {
    const possible = model.possible(groupId, partitionIndex);
    assert(
      possible.has(committedOffset),
      `${groupId} ${partitionIndex}: ${committedOffset}, not one of ${[...possible]}`,
    );
    model.set(groupId, partitionIndex, [committedOffset], true);
  }
}

async function deletes(made: Scene, model: Model, random: () => number) {
  const groupId = GROUPS[random() % GROUPS.length]!;
  const [code] = await made.groups.deleteGroups([groupId]);
  const gone = code === ErrorCode.NONE || code === ErrorCode.GROUP_ID_NOT_FOUND;
  for (const partition of PARTITIONS) model.set(groupId, partition, [-1], gone);
}

Deno.test("committed offsets survive restarts, lost replies and outages", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = mulberry32(seed);
    const rate = { percent: 0 };
    const made = await scene({ faults: faulty(random, rate), seed });
    const model = new Model();
    let value = 0;
    try {
      for (let step = 0; step < 120; step++) {
        rate.percent = [0, 0, 10, 50, 100][random() % 5]!;
        const choice = random() % 10;
        if (choice < 5) await commits(made, model, random, () => ++value);
        else if (choice < 8) await fetches(made, model, random);
        else if (choice < 9) await deletes(made, model, random);
        else {
          rate.percent = 0;
          await made.restart();
        }
      }
      rate.percent = 0;
      await made.restart();
      for (let round = 0; round < 10; round++) await fetches(made, model, random);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    await made.stop();
  }
});
