/** The checkers of several brokers are fed histories that are wrong. */
import { assert, assertEquals } from "@std/assert";
import { type PartitionAssignment, UNASSIGNED } from "../../core/metadata/assignments.ts";
import { checkHistory } from "./checkers.ts";
import { History } from "./history.ts";
import { Leadership } from "./leadership.ts";

const TOPIC = "topic-id";
const at = { topicId: TOPIC, partition: 0 };

function ledBy(brokerId: number, leaderEpoch: number, target = brokerId): PartitionAssignment {
  const owner = { brokerId, brokerEpoch: 1 };
  return { ...UNASSIGNED, target, leaderEpoch, owner };
}

/** Brokers 1 and 2 are the incarnations 1 and 2; the first leads. */
function cluster(): { history: History; leadership: Leadership } {
  const history = new History();
  const leadership = new Leadership(history);
  history.leadership = leadership;
  for (const id of [1, 2]) leadership.register({ brokerId: id, brokerEpoch: 1 }, id);
  leadership.changed(TOPIC, [ledBy(1, 0)]);
  return { history, leadership };
}

function complains(history: History, about: RegExp): void {
  const problems = checkHistory(history);
  assert(problems.some((problem) => about.test(problem)), `none of: ${problems.join("; ")}`);
}

function observed(history: History, incarnation: number, highWatermark: number): void {
  const start = history.now();
  const marks = { logStartOffset: 0, highWatermark, lastStableOffset: -1 };
  const end = history.now();
  history.observed.push({ reader: "r", incarnation, ...at, start, end, ...marks, records: [] });
}

Deno.test("Leadership complains of a leader epoch that doesn't rise (I2)", () => {
  const { history, leadership } = cluster();
  leadership.changed(TOPIC, [ledBy(2, 1)]);
  assertEquals(checkHistory(history), []);
  leadership.changed(TOPIC, [ledBy(1, 1)]);
  complains(history, /I2: the leader epoch of topic-id\/0 went from 1 to 1/);
});

Deno.test("checkHistory() sees leader epochs that fall, and one that changes (I2)", () => {
  const { history } = cluster();
  const record = (offset: number, leaderEpoch: number) => ({ offset, leaderEpoch, value: "v" });
  history.sawEpochs(TOPIC, 0, [record(0, 0), record(1, 2)]);
  assertEquals(checkHistory(history), []);
  history.sawEpochs(TOPIC, 0, [record(2, 1)]);
  complains(history, /I2: topic-id\/0 has leader epoch 1 at 2, behind 2/);
  history.sawEpochs(TOPIC, 0, [record(0, 1)]);
  complains(history, /I2: topic-id\/0 offset 0 had leader epoch 0, now 1/);
});

Deno.test("checkHistory() lets only a replaced leader show the past (I4)", () => {
  const { history, leadership } = cluster();
  observed(history, 1, 5);
  leadership.changed(TOPIC, [ledBy(2, 1)]);
  observed(history, 2, 7);
  observed(history, 1, 5);
  assertEquals(checkHistory(history), []);
  observed(history, 2, 6);
  complains(history, /I4: topic-id\/0 showed high watermark 7 .* and later 6/);
});

Deno.test("checkHistory() sees a leader that stops leading without metadata (I10)", () => {
  for (const wanted of [true, false]) {
    const { history, leadership } = cluster();
    history.produced.push({
      ...{ producer: "p", idempotent: true, ...at, sequence: 0, values: [], baseOffset: 0 },
      ...{ start: history.now(), end: history.now(), outcome: "acked", incarnation: 1 },
    });
    history.cuts.push({ incarnation: 1, from: history.now(), to: Infinity });
    if (!wanted) leadership.changed(TOPIC, [ledBy(1, 0, 2)]);
    const start = history.now();
    history.notLeader.push({ incarnation: 1, ...at, start, end: history.now() });
    if (wanted) complains(history, /I10: broker 1 refused to lead topic-id\/0/);
    else assertEquals(checkHistory(history), [], "somebody else was to lead");
  }
});
