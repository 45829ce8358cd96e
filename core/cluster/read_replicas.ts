import type { LiveBroker } from "../metadata/brokers.ts";

type Broker = Pick<LiveBroker, "brokerId" | "rack" | "draining">;

/**
 * Who serves reads of a partition besides its leader: of each rack but the leader's one broker, by
 * topic and partition, so that the readers of a rack spread over its brokers and each chain is
 * followed by few. Ascending; a broker that drains takes no readers.
 */
export function readReplicas(
  brokers: readonly Broker[],
  leaderId: number,
  topicId: string,
  partition: number,
): number[] {
  const leaderRack = brokers.find(({ brokerId }) => brokerId === leaderId)?.rack ?? null;
  const able = brokers.filter(({ rack, draining }) =>
    rack !== null && rack !== leaderRack && !draining
  );
  const start = hash(topicId) + partition;
  return [...Map.groupBy(able, ({ rack }) => rack).values()]
    .map((ofRack) => ofRack[start % ofRack.length]!.brokerId)
    .sort((a, b) => a - b);
}

function hash(text: string): number {
  let value = 0;
  for (let at = 0; at < text.length; at++) value = (value * 31 + text.charCodeAt(at)) >>> 0;
  return value;
}
