/**
 * OffsetCommit (key 8), versions 2 to 9.
 *
 *     OffsetCommit => group_id generation member_id instance_id retention
 *       [topic [partition offset epoch metadata]]
 *
 * Partitions that don't exist are refused one by one, the rest is stored. A generation of an
 * unknown group is ILLEGAL_GENERATION, from v9 on GROUP_ID_NOT_FOUND (KIP-848).
 *
 * A topic that this broker has not heard of may be new, and consumers give up on one that does not
 * exist: so metadata is asked first. Where it cannot be, the coordinator is not available.
 */
import { ErrorCode } from "../protocol/errors.ts";
import { offsetCommit } from "../protocol/messages/08_offset_commit.ts";
import { handler } from "./handler.ts";

const KNOWS_GROUP_ID_NOT_FOUND = 9;

export const offsetCommitHandler = handler(offsetCommit, async (rooms, context, request) => {
  if (!await rooms.topics.knows(request.topics.map(({ name }) => name))) {
    const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE;
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    }));
    return { topics };
  }
  const topics = await rooms.groups.commitOffsets({
    groupId: request.groupId,
    generationId: request.generationIdOrMemberEpoch,
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    retentionTimeMs: request.retentionTimeMs,
    missingGroupError: context.apiVersion >= KNOWS_GROUP_ID_NOT_FOUND
      ? ErrorCode.GROUP_ID_NOT_FOUND
      : ErrorCode.ILLEGAL_GENERATION,
    topics: request.topics,
  });
  return { topics };
});
