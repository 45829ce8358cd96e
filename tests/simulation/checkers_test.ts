/** A checker that never complains is worth nothing: each one is fed a history that is wrong. */
import { assert, assertEquals } from "@std/assert";
import { checkHistory } from "./checkers.ts";
import {
  History,
  type Observation,
  type OffsetCall,
  type ProduceCall,
  type TrimCall,
} from "./history.ts";

const TOPIC = "topic-id";

function value(producer: string, sequence: number, at = 0): string {
  return `${TOPIC}|${producer}|${sequence}.${at}|`;
}

function produced(history: History, over: Partial<ProduceCall>): ProduceCall {
  const { producer = "p", sequence = 0 } = over;
  const call: ProduceCall = {
    producer,
    sequence,
    idempotent: true,
    topicId: TOPIC,
    partition: 0,
    values: [value(producer, sequence)],
    start: history.now(),
    end: history.now(),
    outcome: "acked",
    baseOffset: 0,
    incarnation: 1,
    ...over,
  };
  history.produced.push(call);
  return call;
}

function observed(history: History, over: Partial<Observation>): void {
  history.observed.push({
    reader: "r",
    incarnation: 1,
    topicId: TOPIC,
    partition: 0,
    start: history.now(),
    end: history.now(),
    logStartOffset: 0,
    highWatermark: -1,
    lastStableOffset: -1,
    records: [],
    ...over,
  });
}

function final(history: History, values: readonly string[], highWatermark = values.length): void {
  const records = values.map((each, offset) => ({ offset, value: each }));
  history.finals.push({ topicId: TOPIC, partition: 0, logStartOffset: 0, highWatermark, records });
}

function offsetCall(history: History, over: Partial<OffsetCall>): void {
  history.offsets.push({
    kind: "commit",
    group: "g",
    member: "m",
    topic: "t",
    partition: 0,
    start: history.now(),
    end: history.now(),
    outcome: "acked",
    offset: 5,
    incarnation: 1,
    ...over,
  });
}

/** Two batches of two records and one of unknown fate, all in place. */
function right(): History {
  const history = new History();
  for (let sequence = 0; sequence < 2; sequence++) {
    const values = [value("p", sequence, 0), value("p", sequence, 1)];
    produced(history, { sequence, values, baseOffset: 2 * sequence });
  }
  produced(history, { producer: "q", outcome: "maybe", idempotent: false });
  final(history, [
    value("p", 0, 0),
    value("p", 0, 1),
    value("p", 1, 0),
    value("p", 1, 1),
    value("q", 0),
  ]);
  observed(history, { highWatermark: 2, records: [{ offset: 1, value: value("p", 0, 1) }] });
  observed(history, { highWatermark: 5 });
  return history;
}

function complains(history: History, about: RegExp): void {
  const problems = checkHistory(history);
  assert(problems.some((problem) => about.test(problem)), `none of: ${problems.join("; ")}`);
}

Deno.test("checkHistory() has nothing against a right history", () => {
  assertEquals(checkHistory(right()), []);
});

Deno.test("checkHistory() sees an acknowledged record that is lost (I1)", () => {
  const history = right();
  produced(history, { producer: "lost", baseOffset: 5 });
  complains(history, /I1: lost/);
});

Deno.test("checkHistory() sees an acknowledgement with another's offset (I1, I5, I6)", () => {
  const history = new History();
  produced(history, { producer: "a", baseOffset: 0 });
  produced(history, { producer: "b", baseOffset: 0 });
  final(history, [value("a", 0), value("b", 0)]);
  complains(history, /I1: b was told/);
});

Deno.test("checkHistory() sees a hole in the offsets (I2)", () => {
  const history = right();
  const log = history.finals[0]!;
  history.finals[0] = { ...log, records: log.records.filter(({ offset }) => offset !== 2) };
  complains(history, /I2: .* has offset 3 where 2 should be/);
});

function trimmed(history: History, over: Partial<TrimCall>): void {
  history.trims.push({
    topicId: TOPIC,
    partition: 0,
    offset: 2,
    start: history.now(),
    end: history.now(),
    outcome: "acked",
    lowWatermark: 2,
    incarnation: 1,
    ...over,
  });
}

/** `right()`, of which the log starts at 2. */
function cut(): History {
  const history = right();
  const log = history.finals[0]!;
  const records = log.records.filter(({ offset }) => offset >= 2);
  history.finals[0] = { ...log, logStartOffset: 2, records };
  return history;
}

Deno.test("checkHistory() has nothing against records that somebody deleted", () => {
  for (const over of [{}, { outcome: "maybe", lowWatermark: -1, offset: Infinity } as const]) {
    const history = cut();
    trimmed(history, over);
    assertEquals(checkHistory(history), []);
  }
  const retained = cut();
  retained.retained.add(TOPIC);
  assertEquals(checkHistory(retained), []);
});

Deno.test("checkHistory() sees a log that starts where nobody asked for (I1)", () => {
  complains(cut(), /I1: .* starts at 2, which nobody asked for/);
  const history = cut();
  trimmed(history, { outcome: "refused", lowWatermark: -1, offset: 3 });
  complains(history, /I1: .* starts at 2, which nobody asked for/);
});

Deno.test("checkHistory() sees deleted records that come back (I2)", () => {
  const history = right();
  trimmed(history, {});
  complains(history, /I2: .* starts at 0, had started at 2/);
  const seen = cut();
  trimmed(seen, {});
  observed(seen, { highWatermark: 5, records: [{ offset: 1, value: value("p", 0, 1) }] });
  complains(seen, /I2: .* showed 1, had started at 2/);
  const listed = cut();
  trimmed(listed, {});
  observed(listed, { logStartOffset: 0 });
  complains(listed, /I2: .* showed 0, had started at 2/);
});

Deno.test("checkHistory() sees two values of an offset that was deleted later (I2)", () => {
  const history = cut();
  trimmed(history, {});
  observed(history, { incarnation: 0, records: [{ offset: 1, value: value("p", 9, 9) }] });
  complains(history, /I2: r read/);
});

Deno.test("checkHistory() sees an offset that changed its value (I2)", () => {
  const history = right();
  observed(history, { records: [{ offset: 0, value: value("q", 0) }] });
  complains(history, /I2: r read .* offset 0/);
});

Deno.test("checkHistory() sees a record that was read and is gone at the end (I2)", () => {
  const history = right();
  observed(history, { records: [{ offset: 5, value: value("p", 9) }] });
  complains(history, /I2: r read .* where nothing was/);
});

Deno.test("checkHistory() sees two values of an offset where there is no end (I2)", () => {
  const history = new History();
  produced(history, {});
  observed(history, { records: [{ offset: 0, value: value("p", 0) }] });
  observed(history, { records: [{ offset: 0, value: value("p", 1) }] });
  complains(history, /I2: r read/);
});

Deno.test("checkHistory() sees a high watermark that goes back (I4)", () => {
  const history = right();
  observed(history, { highWatermark: 4 });
  complains(history, /I4: .* showed high watermark 5 .* later 4/);
});

Deno.test("checkHistory() lets overlapping and outdated answers have their own watermark", () => {
  const history = right();
  history.observed.push({ ...history.observed[1]!, start: 1, highWatermark: 1 });
  observed(history, { highWatermark: 3, incarnation: 0 });
  assertEquals(checkHistory(history), []);
});

Deno.test("checkHistory() sees a high watermark above the end (I4)", () => {
  const history = right();
  observed(history, { highWatermark: 6 });
  complains(history, /I4: .* ends with 5/);
});

Deno.test("checkHistory() sees a record that was read above the high watermark (I4)", () => {
  const history = right();
  const records = [{ offset: 4, value: value("q", 0) }];
  history.observed.push({ ...history.observed[0]!, highWatermark: 4, records });
  complains(history, /I4: r read .* offset 4, high watermark 4/);
});

Deno.test("checkHistory() sees a duplicate (I6)", () => {
  const history = right();
  final(history, [...history.finals.pop()!.records.map((r) => r.value), value("p", 1, 1)]);
  complains(history, /I6: .* twice/);
});

Deno.test("checkHistory() sees batches of one producer in the wrong order (I6)", () => {
  const history = new History();
  produced(history, { sequence: 0, outcome: "maybe" });
  produced(history, { sequence: 1, outcome: "maybe" });
  final(history, [value("p", 1), value("p", 0)]);
  complains(history, /I6: .* behind a later batch/);
});

Deno.test("checkHistory() sees a batch that is torn apart (I6)", () => {
  const history = new History();
  produced(history, { values: [value("p", 0, 0), value("p", 0, 1)], outcome: "maybe" });
  produced(history, { producer: "q", outcome: "maybe" });
  final(history, [value("p", 0, 0), value("q", 0), value("p", 0, 1)]);
  complains(history, /I6: .* tore/);
});

Deno.test("checkHistory() sees a refused batch in the log (I6)", () => {
  const history = new History();
  produced(history, { outcome: "refused" });
  final(history, [value("p", 0)]);
  complains(history, /I6: .* refused/);
});

Deno.test("checkHistory() sees a record that nobody sent (I8)", () => {
  const history = right();
  final(history, [...history.finals.pop()!.records.map((r) => r.value), value("x", 0)]);
  complains(history, /I8: .* never sent/);
});

Deno.test("checkHistory() sees another topic's record, and reads of a deleted topic (I8)", () => {
  const history = right();
  observed(history, { topicId: "other", records: [{ offset: 0, value: value("p", 0) }] });
  complains(history, /I8: topic other showed/);
  const name = "t";
  const start = history.now();
  const end = history.now();
  history.topics.push({
    kind: "delete",
    name,
    topicId: "gone",
    start,
    end,
    outcome: "acked",
    incarnation: 1,
  });
  observed(history, { topicId: "gone", incarnation: 2 });
  assert(!checkHistory(history).some((problem) => /topic gone/.test(problem)));
  observed(history, { topicId: "gone" });
  complains(history, /I8: topic gone was read/);
  produced(history, { topicId: "gone" });
  complains(history, /I8: .* acknowledged after/);
});

Deno.test("checkHistory() sees a batch that should have been refused", () => {
  const history = right();
  history.poison.add(value("q", 0));
  complains(history, /broken batch was accepted/);
});

Deno.test("checkHistory() sees committed offsets that are lost or made up", () => {
  const lost = new History();
  offsetCall(lost, { offset: 5 });
  offsetCall(lost, { kind: "fetch", offset: 4 });
  complains(lost, /committed offset lost/);
  const none = new History();
  offsetCall(none, { offset: 5 });
  offsetCall(none, { kind: "fetch", offset: -1 });
  complains(none, /committed offset lost/);
  const madeUp = new History();
  offsetCall(madeUp, { offset: 5 });
  offsetCall(madeUp, { kind: "fetch", offset: 6 });
  complains(madeUp, /committed offset made up/);
  const maybe = new History();
  offsetCall(maybe, { offset: 5 });
  offsetCall(maybe, { offset: 6, outcome: "maybe" });
  offsetCall(maybe, { kind: "fetch", offset: 6 });
  offsetCall(maybe, { kind: "fetch", offset: 5 });
  assertEquals(checkHistory(maybe), []);
});

Deno.test("checkHistory() sees a partition with two owners in one generation", () => {
  const history = new History();
  history.assignments.push({ group: "g", generation: 1, member: "a", partitions: [0, 1] });
  history.assignments.push({ group: "g", generation: 2, member: "b", partitions: [0, 1] });
  assertEquals(checkHistory(history), []);
  history.assignments.push({ group: "g", generation: 2, member: "c", partitions: [1] });
  complains(history, /two owners/);
});

Deno.test("checkHistory() passes on what an actor found wrong at once", () => {
  const history = new History();
  history.problem("it broke");
  assertEquals(checkHistory(history), ["it broke"]);
});
