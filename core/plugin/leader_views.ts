/** Who leads what, as plugins see it, and giving single partitions away. */
import type { Rooms } from "../handlers/rooms.ts";
import { sleep } from "../runtime/mod.ts";
import type { LeaderView, PartitionName } from "./broker_view.ts";

const LOOK_MS = 20;

type LedRooms = Pick<Rooms, "cluster" | "topics" | "runtime">;

/** See BrokerView.leaders. */
export function* leaders({ topics, cluster }: LedRooms): Generator<LeaderView> {
  for (const { id, name, partitionCount } of topics.all()) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const { leaderId, leaderEpoch } = cluster.leader(id, partition);
      yield { topic: name, partition, leader: leaderId, leaderEpoch };
    }
  }
}

interface Leaving extends PartitionName {
  readonly topicId: string;
}

/** See BrokerView.giveAway. */
export async function giveAway(
  rooms: LedRooms,
  partitions: readonly PartitionName[],
  timeoutMs: number,
): Promise<PartitionName[]> {
  const { cluster, runtime: { clock, timers } } = rooms;
  const leavings = partitions.map((each) => ({ ...each, topicId: idOf(rooms, each) }));
  // Also what it is about to take over.
  const here = ({ topicId, partition }: Leaving) =>
    cluster.leader(topicId, partition).leaderId === cluster.brokerId;
  const endMs = clock.monotonicMs() + timeoutMs;
  const led = leavings.filter(here);
  const targets = chooseTargets(rooms, led);
  for (const [topicId, wanted] of targets) await cluster.prefer(topicId, wanted);
  while (led.some(here) && clock.monotonicMs() < endMs) await sleep(timers, LOOK_MS);
  return led.filter(here).map(({ topic, partition }) => ({ topic, partition }));
}

function idOf({ topics }: LedRooms, { topic, partition }: PartitionName): string {
  const info = topics.byName(topic);
  if (info !== undefined && partition >= 0 && partition < info.partitionCount) return info.id;
  throw new Error(`there is no partition ${partition} of a topic ${topic}`);
}

/** Topic id → partition → the broker that leads least, the moves before it counted in. */
function chooseTargets(
  rooms: LedRooms,
  leaving: readonly Leaving[],
): Map<string, Map<number, number>> {
  const { cluster } = rooms;
  const load = new Map<number, number>();
  for (const { nodeId } of cluster.brokers()) {
    if (nodeId !== cluster.brokerId && cluster.canLead(nodeId)) load.set(nodeId, 0);
  }
  if (load.size === 0 && leaving.length > 0) {
    throw new Error("there is no other broker that could take over; start one");
  }
  for (const { leader } of leaders(rooms)) {
    if (load.has(leader)) load.set(leader, load.get(leader)! + 1);
  }
  const targets = new Map<string, Map<number, number>>();
  for (const { topicId, partition } of leaving) {
    const [to, count] = [...load].reduce((a, b) => b[1] < a[1] ? b : a);
    load.set(to, count + 1);
    const wanted = targets.get(topicId);
    if (wanted === undefined) targets.set(topicId, new Map([[partition, to]]));
    else wanted.set(partition, to);
  }
  return targets;
}
