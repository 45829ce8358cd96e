/**
 * CreatePartitions (key 37), versions 0 to 3.
 *
 *     CreatePartitions => [name count [assignment]] timeout_ms validate_only
 *
 * `count` is the new total and must be an increase (KIP-195). Manual assignments, if given, must
 * name known brokers for exactly the new partitions; the first of each is preferred as leader. A
 * name that occurs twice is INVALID_REQUEST, once.
 */
import type { AddPartitions } from "../metadata/topics.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { createPartitions } from "../protocol/messages/37_create_partitions.ts";
import {
  adminRefusal,
  outcomesWithin,
  preferredLeaders,
  type Refusal,
  refusal,
  repeated,
  replicasFault,
} from "./admin_request.ts";
import { awaitLeaders } from "./await_leaders.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type TopicRequest = RequestOf<typeof createPartitions>["topics"][number];
type Result = NonNullable<LooseResponseOf<typeof createPartitions>["results"]>[number];

export const createPartitionsHandler = handler(
  createPartitions,
  async (rooms, _context, request) => {
    const results: Result[] = [];
    const wanted: AddPartitions[] = [];
    const twice = repeated(request.topics.map((topic) => topic.name));
    const denied = adminRefusal(rooms);
    for (const name of twice) {
      results.push({ name, ...refusal(ErrorCode.INVALID_REQUEST, "Duplicate topic name.") });
    }
    for (const topic of request.topics) {
      if (twice.has(topic.name)) continue;
      const fault = denied ?? assignmentFault(rooms, topic);
      if (fault !== undefined) results.push({ name: topic.name, ...fault });
      else {
        const { name, count: partitionCount, assignments } = topic;
        const preferred = assignments === null ? undefined : preferredLeaders(rooms, assignments);
        wanted.push({ name, partitionCount, preferred });
      }
    }
    const outcomes = await outcomesWithin(
      rooms,
      request.timeoutMs,
      wanted.length,
      rooms.topics.addPartitions(wanted, request.validateOnly),
    );
    wanted.forEach(({ name }, at) => {
      const { errorCode, errorMessage } = outcomes[at]!;
      results.push({ name, errorCode, errorMessage });
    });
    if (!request.validateOnly) await awaitLeaders(rooms, outcomes.map(({ topic }) => topic));
    return { results };
  },
);

function assignmentFault(rooms: Rooms, topic: TopicRequest): Refusal | undefined {
  const { name, count, assignments } = topic;
  const now = rooms.topics.byName(name)?.partitionCount;
  if (assignments === null || now === undefined || count <= now) return undefined;
  if (assignments.length !== count - now) {
    return refusal(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${count - now} additional partition(s), but only ${assignments.length} ` +
        "assignment(s) were specified.",
    );
  }
  for (const { brokerIds } of assignments) {
    const fault = replicasFault(rooms, brokerIds);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
