/** From a history to the invariants that it breaks (DESIGN 2), each as a sentence. */
import { checkLeaderEpochs, checkLedInOutage } from "./leadership_checkers.ts";
import { shardOf } from "../../core/groups/shards.ts";
import { COORDINATORS } from "../../core/metadata/assignments.ts";
import type { History, Observation, OffsetCall, ProduceCall, TopicEvent } from "./history.ts";

type PartitionLog = Map<number, string>;

const keyOf = (at: { topicId: string; partition: number }) => `${at.topicId}/${at.partition}`;

/** Everything at once; empty where the run was right. */
export function checkHistory(history: History): string[] {
  const problems = [
    ...history.problems,
    ...checkDense(history),
    ...checkAcknowledged(history),
    ...checkOneValue(history),
    ...checkWatermarks(history),
    ...checkTrims(history),
    ...checkProducers(history),
    ...checkPoison(history),
    ...checkTopics(history),
    ...checkOffsets(history),
    ...checkAssignments(history),
    ...checkLeaderEpochs(history),
    ...checkLedInOutage(history),
  ];
  return problems.map((problem) => problem.replaceAll(/x{5,}/g, "x…"));
}

function finalLogs(history: History): Map<string, PartitionLog> {
  return new Map(
    history.finals.map((final) => [
      keyOf(final),
      new Map(final.records.map(({ offset, value }) => [offset, value])),
    ]),
  );
}

function finalStarts(history: History): Map<string, number> {
  return new Map(history.finals.map((final) => [keyOf(final), final.logStartOffset]));
}

/** I2: offsets are dense. */
export function checkDense(history: History): string[] {
  const problems: string[] = [];
  for (const final of history.finals) {
    let expected = final.logStartOffset;
    for (const { offset } of final.records) {
      if (offset !== expected) {
        problems.push(`I2: ${keyOf(final)} has offset ${offset} where ${expected} should be`);
        break;
      }
      expected++;
    }
    if (expected !== final.highWatermark && final.records.at(-1)?.offset === expected - 1) {
      problems.push(
        `I2: ${keyOf(final)} ends at ${expected}, its high watermark is ${final.highWatermark}`,
      );
    }
  }
  return problems;
}

/** I1, I5: what was acknowledged is there, where the acknowledgement said. */
export function checkAcknowledged(history: History): string[] {
  const problems: string[] = [];
  const logs = finalLogs(history);
  const starts = finalStarts(history);
  for (const call of history.produced) {
    const log = logs.get(keyOf(call));
    if (call.outcome !== "acked" || log === undefined) continue;
    const start = starts.get(keyOf(call))!;
    for (let at = Math.max(0, start - call.baseOffset); at < call.values.length; at++) {
      const found = log.get(call.baseOffset + at);
      if (found === call.values[at]) continue;
      problems.push(
        `I1: ${call.producer} was told that ${call.values[at]} is at ${keyOf(call)} offset ` +
          `${call.baseOffset + at}, where ${found ?? "nothing"} is`,
      );
      break;
    }
  }
  return problems;
}

/** I2: an offset has one value for ever. */
export function checkOneValue(history: History): string[] {
  const problems: string[] = [];
  const seen = finalLogs(history);
  const starts = finalStarts(history);
  for (const observation of history.observed) {
    let log = seen.get(keyOf(observation));
    if (log === undefined) seen.set(keyOf(observation), log = new Map());
    // What lies below the final log start is compared with what others read.
    const start = starts.get(keyOf(observation)) ?? Infinity;
    for (const { offset, value } of observation.records) {
      const known = log.get(offset);
      if (known === undefined && offset < start) log.set(offset, value);
      else if (known !== value) {
        problems.push(
          `I2: ${observation.reader} read ${value} at ${keyOf(observation)} offset ${offset}, ` +
            `where ${known ?? "nothing"} was read before or at the end`,
        );
        break;
      }
    }
  }
  return problems;
}

/** I4: the high watermark never goes back, and nothing is read at or above it. */
export function checkWatermarks(history: History): string[] {
  const problems: string[] = [];
  const byPartition = Map.groupBy(history.observed, keyOf);
  for (const [key, observations] of byPartition) {
    for (const seen of observations) {
      const limit = seen.highWatermark;
      const last = seen.records.at(-1)?.offset ?? -1;
      if (limit >= 0 && last >= limit) {
        problems.push(`I4: ${seen.reader} read ${key} offset ${last}, high watermark ${limit}`);
      }
      if (limit >= 0 && seen.lastStableOffset > limit) {
        problems.push(`I4: ${key} has its last stable offset above the high watermark ${limit}`);
      }
    }
    problems.push(...backwards(history, key, observations));
    const final = history.finals.find((log) => keyOf(log) === key);
    const highest = Math.max(-1, ...observations.map((seen) => seen.highWatermark));
    if (final !== undefined && highest > final.highWatermark) {
      problems.push(
        `I4: ${key} showed high watermark ${highest}, ends with ${final.highWatermark}`,
      );
    }
  }
  return problems;
}

/** An answer that was over before another call began binds that call. */
function backwards(
  history: History,
  key: string,
  observations: readonly Observation[],
): string[] {
  const withMark = observations.filter((seen) => seen.highWatermark >= 0);
  const byEnd = withMark.toSorted((a, b) => a.end - b.end);
  let next = 0;
  let highest: Observation | undefined;
  for (const seen of withMark.toSorted((a, b) => a.start - b.start)) {
    while (next < byEnd.length && byEnd[next]!.end < seen.start) {
      const before = byEnd[next++]!;
      if (highest === undefined || before.highWatermark > highest.highWatermark) highest = before;
    }
    if (highest === undefined || seen.highWatermark >= highest.highWatermark) continue;
    // A broker that was taken over and doesn't know yet may show its past; never its successor.
    if (mayBePast(history, seen, highest)) continue;
    return [
      `I4: ${key} showed high watermark ${highest.highWatermark} (broker ${highest.incarnation}) ` +
      `and later ${seen.highWatermark} (broker ${seen.incarnation})`,
    ];
  }
  return [];
}

/** Whether who answered may have been replaced, by the one before or by another. */
function mayBePast(history: History, seen: Observation, newer: Observation): boolean {
  const { leadership } = history;
  const { incarnation, topicId, partition, start, end } = seen;
  if (leadership === undefined) return incarnation < newer.incarnation;
  return leadership.heldThroughout(incarnation, topicId, partition, start, end) === undefined;
}

/**
 * I1, I2: the log starts where somebody wanted it to, and never further down again. A successor may
 * meet what the broker before it still confirmed a little later; the end binds all.
 */
export function checkTrims(history: History): string[] {
  const problems: string[] = [];
  const byPartition = Map.groupBy(history.trims, keyOf);
  for (const final of history.finals) {
    const key = keyOf(final);
    const { logStartOffset: start } = final;
    const trims = byPartition.get(key) ?? [];
    const wanted = trims.filter((call) => call.outcome !== "refused").map((call) => call.offset);
    if (start > Math.max(0, ...wanted) && !history.retained.has(final.topicId)) {
      problems.push(`I1: ${key} starts at ${start}, which nobody asked for`);
    }
    const acked = Math.max(0, ...trims.map((call) => call.lowWatermark));
    if (start < acked) problems.push(`I2: ${key} starts at ${start}, had started at ${acked}`);
  }
  for (const seen of history.observed) {
    for (const trim of byPartition.get(keyOf(seen)) ?? []) {
      if (trim.outcome !== "acked" || trim.incarnation !== seen.incarnation) continue;
      if (trim.end >= seen.start) continue;
      const back = seen.records.find(({ offset }) => offset < trim.lowWatermark)?.offset ??
        seen.logStartOffset;
      if (back < 0 || back >= trim.lowWatermark) continue;
      problems.push(`I2: ${keyOf(seen)} showed ${back}, had started at ${trim.lowWatermark}`);
    }
  }
  return problems;
}

/**
 * I6: no value twice, batches unbroken, refused ones nowhere; an idempotent producer's in order. (A
 * plain one that got no answer goes on, and what it sent may still arrive.)
 */
export function checkProducers(history: History): string[] {
  const problems: string[] = [];
  const byPartition = Map.groupBy(history.produced, keyOf);
  for (const final of history.finals) {
    const key = keyOf(final);
    const calls = byPartition.get(key) ?? [];
    const callOf = new Map<string, { call: ProduceCall; at: number }>();
    for (const call of calls) call.values.forEach((value, at) => callOf.set(value, { call, at }));
    const seen = new Set<string>();
    const lastOf = new Map<string, { sequence: number; offset: number; at: number }>();
    for (const { offset, value } of final.records) {
      const from = callOf.get(value);
      if (from === undefined) {
        problems.push(`I8: ${key} holds ${value}, which was never sent there`);
        continue;
      }
      if (seen.has(value)) problems.push(`I6: ${key} holds ${value} twice`);
      seen.add(value);
      const { call, at } = from;
      if (call.outcome === "refused") {
        problems.push(`I6: ${key} holds ${value}, which was refused`);
      }
      const last = lastOf.get(call.producer);
      const first = offset === final.logStartOffset;
      if (at > 0 && !first && (last?.sequence !== call.sequence || last.offset !== offset - 1)) {
        problems.push(`I6: ${key} tore the batch of ${value} apart`);
      } else if (call.idempotent && last !== undefined && last.sequence > call.sequence) {
        problems.push(`I6: ${key} has ${value} behind a later batch of its producer`);
      }
      lastOf.set(call.producer, { sequence: call.sequence, offset, at });
    }
  }
  return problems;
}

/** What had a wrong CRC or came with a broken frame is never seen. */
export function checkPoison(history: History): string[] {
  const everything = [
    ...history.finals.flatMap((final) => final.records),
    ...history.observed.flatMap((seen) => seen.records),
  ];
  const found = everything.find(({ value }) => history.poison.has(value));
  return found === undefined ? [] : [`a broken batch was accepted: ${found.value}`];
}

/**
 * I8: a deleted topic is gone for ever, and no topic shows another's records. Only the broker that
 * acknowledged a deletion must know of it at once; another may be cut off from the metadata.
 */
export function checkTopics(history: History): string[] {
  const problems: string[] = [];
  const deletions = new Map<string, TopicEvent>();
  for (const event of history.topics) {
    if (event.kind === "delete" && event.outcome === "acked") deletions.set(event.topicId, event);
  }
  const gone = (call: { topicId: string; start: number; incarnation: number }) => {
    const deletion = deletions.get(call.topicId);
    return deletion !== undefined && call.start > deletion.end &&
      call.incarnation === deletion.incarnation;
  };
  for (const seen of history.observed) {
    if (gone(seen)) problems.push(`I8: topic ${seen.topicId} was read after its deletion`);
    const stranger = seen.records.find(({ value }) => !value.startsWith(seen.topicId + "|"));
    if (stranger !== undefined) {
      problems.push(`I8: topic ${seen.topicId} showed ${stranger.value}`);
    }
  }
  for (const call of history.produced) {
    if (call.outcome === "acked" && gone(call)) {
      problems.push(`I8: ${call.values[0]} was acknowledged after its topic's deletion`);
    }
  }
  return problems;
}

/** A committed offset is what a group goes on from: none is lost, none is made up. */
export function checkOffsets(history: History): string[] {
  const problems: string[] = [];
  const groups = Map.groupBy(history.offsets, (c) => `${c.group}:${c.topic}/${c.partition}`);
  for (const [key, calls] of groups) {
    const commits = calls.filter((call) => call.kind === "commit" && call.outcome !== "refused");
    for (const fetch of calls) {
      if (fetch.kind !== "fetch" || fetch.outcome !== "acked") continue;
      const present = mayServe(history, fetch);
      const before = commits.filter((c) => c.outcome === "acked" && c.end < fetch.start);
      const least = Math.max(-1, ...before.map((call) => call.offset));
      if (fetch.offset < least && present) {
        problems.push(`committed offset lost: ${key} had ${least}, then ${fetch.offset} was read`);
      }
      const possible = commits.some((c) => c.start < fetch.end && c.offset === fetch.offset);
      if (fetch.offset >= 0 && !possible) {
        problems.push(`committed offset made up: ${key} gave ${fetch.offset}`);
      }
    }
  }
  return problems;
}

/**
 * Whether who answered was the coordinator all the while. One that was replaced and doesn't know
 * yet may still show its past, as in Kafka: its group reads something twice, and skips nothing.
 */
function mayServe({ leadership }: History, { group, incarnation, start, end }: OffsetCall) {
  if (leadership === undefined) return true;
  const shard = shardOf(group);
  return leadership.heldThroughout(incarnation, COORDINATORS, shard, start, end) !== undefined;
}

/** In one generation each partition has one owner. */
export function checkAssignments(history: History): string[] {
  const problems: string[] = [];
  const owners = new Map<string, string>();
  for (const seen of history.assignments) {
    for (const partition of seen.partitions) {
      const key = `${seen.group} generation ${seen.generation} partition ${partition}`;
      const owner = owners.get(key);
      if (owner !== undefined && owner !== seen.member) problems.push(`${key} has two owners`);
      owners.set(key, seen.member);
    }
  }
  return problems;
}
