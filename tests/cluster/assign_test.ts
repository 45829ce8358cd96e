import { assert, assertEquals } from "@std/assert";
import { assign, type AssignBroker, type AssignPrevious } from "../../core/cluster/assign.ts";
import { Prng } from "../simulation/prng.ts";

type State = Map<string, AssignPrevious[]>;

const broker = (id: number, rack: string | null = null, draining = false): AssignBroker => ({
  id,
  rack,
  draining,
});

function run(
  state: State,
  brokers: readonly AssignBroker[],
  topics: Readonly<Record<string, number>>,
): State {
  const list = Object.entries(topics).map(([id, partitionCount]) => ({ id, partitionCount }));
  const targets = assign((topic, at) => state.get(topic)?.[at], brokers, list);
  return new Map(
    Array.from(targets, ([topic, ids]) => [
      topic,
      ids.map((target, at) => ({ target, preferred: state.get(topic)?.[at]?.preferred ?? -1 })),
    ]),
  );
}

function counts(state: State, brokers: readonly AssignBroker[]): number[] {
  const all = [...state.values()].flat();
  return brokers.map(({ id }) => all.filter(({ target }) => target === id).length);
}

function moved(before: State, after: State): number {
  let count = 0;
  for (const [topic, partitions] of before) {
    partitions.forEach(({ target }, at) => {
      if (after.get(topic)?.[at]?.target !== target) count++;
    });
  }
  return count;
}

Deno.test("assign() balances within one, moves only what it must, and is a function", () => {
  const prng = new Prng("assign");
  for (let round = 0; round < 300; round++) {
    const topics: Record<string, number> = {};
    for (let topic = 0; topic < prng.below(8); topic++) topics[`t${topic}`] = 1 + prng.below(20);
    let brokers = Array.from({ length: 1 + prng.below(6) }, (_, id) => broker(id));
    let state = run(new Map(), brokers, topics);
    for (let step = 0; step < 5; step++) {
      const before = state;
      const kind = prng.below(3);
      if (kind === 0 && brokers.length > 1) {
        brokers = brokers.toSpliced(prng.below(brokers.length), 1);
      } else if (kind === 1) brokers = [...brokers, broker(10 + round + step)];
      else topics[`new${step}`] = 1 + prng.below(9);
      state = run(before, brokers, topics);
      const now = counts(state, brokers);
      assert(Math.max(...now) - Math.min(...now) <= 1, `unbalanced: ${now}`);
      assertEquals(run(before, brokers, topics), state, "not a function");
      assertEquals(run(state, brokers, topics), state, "not at rest");
      // Whoever is there keeps at least what balance leaves it.
      const total = now.reduce((sum, each) => sum + each, 0);
      const ceiling = Math.ceil(total / brokers.length);
      const needed = [...before.values()].flat().filter(({ target }) =>
        !brokers.some(({ id }) => id === target)
      ).length + brokers.reduce(
        (sum, { id }) => sum + Math.max(0, counts(before, [broker(id)])[0]! - (ceiling - 1)),
        0,
      );
      assert(moved(before, state) <= needed, `${moved(before, state)} moves, ${needed} needed`);
    }
  }
});

Deno.test("assign() spreads each topic over brokers and racks", () => {
  const brokers = [broker(1, "a"), broker(2, "a"), broker(3, "b"), broker(4, "b")];
  const state = run(new Map(), brokers, { one: 2, two: 2, wide: 8 });
  for (const [topic, partitions] of state) {
    const racks = partitions.map(({ target }) => brokers.find(({ id }) => id === target)!.rack);
    const inA = racks.filter((rack) => rack === "a").length;
    assertEquals(inA, partitions.length / 2, topic);
    const share = partitions.length / brokers.length;
    const perBroker = counts(new Map([[topic, partitions]]), brokers);
    assert(Math.max(...perBroker) <= Math.ceil(share), `${topic}: ${perBroker}`);
  }
});

Deno.test("assign() empties a draining broker, unless there is nobody else", () => {
  const topics = { t: 9 };
  const three = [broker(1), broker(2), broker(3)];
  const state = run(new Map(), three, topics);
  const drained = run(state, [broker(1), broker(2, null, true), broker(3)], topics);
  assertEquals(counts(drained, three).toSorted(), [0, 4, 5]);
  assertEquals(counts(drained, three)[1], 0);
  assertEquals(counts(run(state, [broker(2, null, true)], topics), three), [0, 9, 0]);
  assertEquals(counts(run(state, [], topics), three), [0, 0, 0]);
});

Deno.test("assign() gives a partition to the broker that is preferred, while it lives", () => {
  const state: State = new Map([["t", [0, 1, 2].map(() => ({ target: 1, preferred: 2 }))]]);
  const both = [broker(1), broker(2)];
  assertEquals(counts(run(state, both, { t: 3 }), both), [0, 3]);
  assertEquals(counts(run(state, [broker(1)], { t: 3 }), both), [3, 0]);
});

Deno.test("assign() of 10,000 partitions in 200 topics takes well under a second", () => {
  const topics = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`t${at}`, 50]));
  const three = [broker(1, "a"), broker(2, "b"), broker(3, "c")];
  const started = performance.now();
  const state = run(new Map(), three, topics);
  const after = run(state, three.slice(1), topics);
  assert(performance.now() - started < 1_000, `${performance.now() - started} ms`);
  assertEquals(counts(after, three.slice(1)), [5_000, 5_000]);
});
