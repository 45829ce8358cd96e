/**
 * ElectLeaders (key 43), versions 0 to 2.
 *
 *     ElectLeaders => election_type [topic [partition]] timeout_ms          null topics: all
 *
 * Leadership that should move does so by itself, to the broker that an operator preferred and away
 * from dead ones, so there is nothing to start here: the answer waits for what is under way, up to
 * the client's time. No leader is ever unclean. ELECTION_NOT_NEEDED where nothing has to move,
 * PREFERRED_LEADER_NOT_AVAILABLE where the preferred broker cannot lead now, and
 * ELIGIBLE_LEADERS_NOT_AVAILABLE where nobody can. Asked for all, the answer leaves out partitions
 * where nothing has to move, as Kafka does.
 */
import { ErrorCode } from "../protocol/errors.ts";
import { electLeaders } from "../protocol/messages/43_elect_leaders.ts";
import { sleep } from "../runtime/mod.ts";
import { type Refusal, refusal } from "./admin_request.ts";
import { handler, type RequestContext } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

const ELECTION_TYPES = 2;
const PREFERRED = 0;
const LOOK_MS = 20;

type Result = { readonly partitionId: number } & (Refusal | typeof ELECTED);

const ELECTED = { errorCode: ErrorCode.NONE, errorMessage: null } as const;

export const electLeadersHandler = handler(electLeaders, async (rooms, context, request) => {
  const { electionType, topicPartitions } = request;
  if (electionType < 0 || electionType >= ELECTION_TYPES) {
    return { errorCode: ErrorCode.INVALID_REQUEST };
  }
  const limitMs = request.timeoutMs > 0 ? request.timeoutMs : rooms.config.requestTimeoutMs;
  const endMs = rooms.runtime.clock.monotonicMs() + limitMs;
  const asked = topicPartitions ?? Array.from(rooms.topics.all(), ({ name, partitionCount }) => ({
    topic: name,
    partitions: Array.from({ length: partitionCount }, (_, at) => at),
  }));
  const results = await Promise.all(asked.map(async ({ topic, partitions }) => ({
    topic,
    partitionResult: await Promise.all(
      partitions.map((at) => elected(rooms, context, electionType, topic, at, endMs)),
    ),
  })));
  if (topicPartitions !== null) {
    return { errorCode: ErrorCode.NONE, replicaElectionResults: results };
  }
  const replicaElectionResults = results.map(({ topic, partitionResult }) => ({
    topic,
    partitionResult: partitionResult.filter(({ errorCode }) =>
      errorCode !== ErrorCode.ELECTION_NOT_NEEDED
    ),
  })).filter(({ partitionResult }) => partitionResult.length > 0);
  return { errorCode: ErrorCode.NONE, replicaElectionResults };
});

/** The partition's outcome, once it is known or the time is up. */
async function elected(
  rooms: Rooms,
  { signal }: RequestContext,
  electionType: number,
  topic: string,
  partitionId: number,
  endMs: number,
): Promise<Result> {
  const { runtime: { clock, timers } } = rooms;
  let waited = false;
  for (;;) {
    const now = outcome(rooms, electionType, topic, partitionId);
    if (now !== "moving") {
      const moved = waited && now.errorCode === ErrorCode.ELECTION_NOT_NEEDED;
      return { partitionId, ...(moved ? ELECTED : now) };
    }
    if (signal.aborted || clock.monotonicMs() >= endMs) {
      const text = "the leader does not lead yet; the move goes on";
      return { partitionId, ...refusal(ErrorCode.REQUEST_TIMED_OUT, text) };
    }
    waited = true;
    await sleep(timers, LOOK_MS, signal);
  }
}

function outcome(
  rooms: Rooms,
  electionType: number,
  name: string,
  partition: number,
): Refusal | "moving" {
  const topic = rooms.topics.byName(name);
  if (topic === undefined || partition < 0 || partition >= topic.partitionCount) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The partition does not exist.");
  }
  const { ownerId, preferredId, movingTo } = rooms.cluster.placement(topic.id, partition);
  if (electionType === PREFERRED && preferredId >= 0) {
    if (movingTo !== undefined) return "moving";
    if (!rooms.cluster.canLead(preferredId)) {
      return refusal(
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
        `Broker ${preferredId}, which shall lead the partition, cannot lead at the moment.`,
      );
    }
  }
  if (ownerId >= 0) {
    return refusal(
      ErrorCode.ELECTION_NOT_NEEDED,
      "Leader election not needed for topic partition.",
    );
  }
  if (rooms.cluster.leader(topic.id, partition).leaderId >= 0) return "moving";
  return refusal(
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    "No broker can lead the partition at the moment.",
  );
}
