/** What several brokers must keep beside `checkers.ts`: leader epochs, and leading in outages. */
import type { History } from "./history.ts";

/** I2: along a log leader epochs never fall, and each was given to somebody. */
export function checkLeaderEpochs(history: History): string[] {
  const problems: string[] = [];
  for (const [key, epochs] of history.epochs) {
    let last = -1;
    for (const [offset, epoch] of [...epochs].sort(([a], [b]) => a - b)) {
      if (epoch >= last) {
        last = epoch;
        continue;
      }
      problems.push(`I2: ${key} has leader epoch ${epoch} at ${offset}, behind ${last}`);
      break;
    }
  }
  return problems;
}

/**
 * I10: who leads a partition and cannot reach the metadata leads on. Only a broker that is known to
 * have led (it has acknowledged something since it last became the target in this reign) is held to
 * it.
 */
export function checkLedInOutage(history: History): string[] {
  const problems: string[] = [];
  const { leadership } = history;
  if (leadership === undefined) return problems;
  for (const { incarnation, topicId, partition, start, end } of history.notLeader) {
    const cut = history.cuts.some((each) =>
      each.incarnation === incarnation && each.from < start && each.to > end
    );
    if (!cut) continue;
    const reign = leadership.heldThroughout(incarnation, topicId, partition, start, end);
    if (reign === undefined) continue;
    const led = history.produced.some((call) =>
      call.incarnation === incarnation && call.topicId === topicId &&
      call.partition === partition && call.start > reign.wantedFrom && call.end < start
    );
    if (!led) continue;
    problems.push(
      `I10: broker ${incarnation} refused to lead ${topicId}/${partition} without metadata`,
    );
  }
  return problems;
}
