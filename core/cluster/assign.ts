/**
 * `assign(previous, brokers, topics) → targets`: who shall lead what. A pure function: balanced
 * within one, sticky (no more partitions move than balance demands), each topic spread over racks
 * and brokers as far as that allows. What an operator prefers comes first, balanced or not.
 */

export interface AssignBroker {
  readonly id: number;
  readonly rack: string | null;
  /** Gives everything away, while there is anybody to take it. */
  readonly draining: boolean;
}

export interface AssignTopic {
  readonly id: string;
  readonly partitionCount: number;
}

/** What is known of a partition so far. */
export interface AssignPrevious {
  /** -1: nobody. */
  readonly target: number;
  /** -1: no preference. */
  readonly preferred: number;
}

/** Topic id → target broker of each partition; -1 where there is no broker at all. */
export type Targets = Map<string, number[]>;

interface Slot {
  readonly topic: string;
  readonly partition: number;
}

interface Load {
  readonly broker: AssignBroker;
  count: number;
  /** Partitions of each topic that it has; those that it may give away again last. */
  readonly byTopic: Map<string, number[]>;
}

export function assign(
  previous: (topicId: string, partition: number) => AssignPrevious | undefined,
  brokers: readonly AssignBroker[],
  topics: readonly AssignTopic[],
): Targets {
  const targets: Targets = new Map();
  const staying = brokers.filter((broker) => !broker.draining);
  const able = (staying.length > 0 ? staying : brokers).toSorted((a, b) => a.id - b.id);
  const sorted = topics.toSorted((a, b) => a.id < b.id ? -1 : 1);
  for (const { id, partitionCount } of sorted) {
    targets.set(id, Array.from({ length: partitionCount }, () => -1));
  }
  if (able.length === 0) return targets;
  const loads = new Map(able.map((broker) => [broker.id, newLoad(broker)]));
  const open: Slot[] = [];
  for (const { id, partitionCount } of sorted) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const { target = -1, preferred = -1 } = previous(id, partition) ?? {};
      const wanted = loads.get(preferred);
      const held = loads.get(target);
      if (wanted !== undefined) {
        wanted.count++;
        targets.get(id)![partition] = preferred;
      } else if (held !== undefined) give(held, { topic: id, partition }, targets);
      else open.push({ topic: id, partition });
    }
  }
  for (const slot of open) give(choose(loads.values(), slot), slot, targets);
  level([...loads.values()], targets);
  return targets;
}

function newLoad(broker: AssignBroker): Load {
  return { broker, count: 0, byTopic: new Map() };
}

function give(load: Load, { topic, partition }: Slot, targets: Targets): void {
  load.count++;
  const list = load.byTopic.get(topic);
  if (list === undefined) load.byTopic.set(topic, [partition]);
  else list.push(partition);
  targets.get(topic)![partition] = load.broker.id;
}

/** The least loaded; among equals the one, and the rack, with the least of the topic. */
function choose(loads: Iterable<Load>, slot: Slot): Load {
  const all = [...loads];
  const least = Math.min(...all.map((load) => load.count));
  const ofTopic = (load: Load) => load.byTopic.get(slot.topic)?.length ?? 0;
  const ofRack = (rack: string | null) =>
    all.reduce((sum, load) => load.broker.rack === rack ? sum + ofTopic(load) : sum, 0);
  const [best] = all.filter((load) => load.count === least).sort((a, b) =>
    ofTopic(a) - ofTopic(b) || ofRack(a.broker.rack) - ofRack(b.broker.rack) ||
    a.broker.id - b.broker.id
  );
  return best!;
}

/** Moves one partition at a time from the fullest to the emptiest, until they differ by one. */
function level(loads: Load[], targets: Targets): void {
  for (;;) {
    const movable = loads.filter((load) => load.byTopic.size > 0);
    if (movable.length === 0) return;
    const fullest = movable.reduce((a, b) => b.count > a.count ? b : a);
    const emptiest = loads.reduce((a, b) => b.count < a.count ? b : a);
    if (fullest.count - emptiest.count <= 1) return;
    const topic = surplusTopic(fullest, emptiest);
    const partition = fullest.byTopic.get(topic)!.pop()!;
    if (fullest.byTopic.get(topic)!.length === 0) fullest.byTopic.delete(topic);
    fullest.count--;
    give(emptiest, { topic, partition }, targets);
  }
}

/** The topic of which `from` has most more than `to`. */
function surplusTopic(from: Load, to: Load): string {
  let best = "";
  let most = -Infinity;
  for (const [topic, partitions] of from.byTopic) {
    const surplus = partitions.length - (to.byTopic.get(topic)?.length ?? 0);
    if (surplus > most) [best, most] = [topic, surplus];
  }
  return best;
}
