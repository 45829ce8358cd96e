/**
 * OffsetForLeaderEpoch (key 23), versions 2 to 4.
 *
 *     OffsetForLeaderEpoch => replica_id [topic [partition current_leader_epoch leader_epoch]]
 *
 * The end offset of the largest epoch at most `leader_epoch` (KIP-101, KIP-320), by which consumers
 * detect that the log was cut back; -1 and -1 when the epoch is unknown. That an epoch is not there
 * yet is told only by who proves that it leads still.
 */
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { offsetForLeaderEpoch } from "../protocol/messages/23_offset_for_leader_epoch.ts";
import { handler } from "./handler.ts";
import { leaderEpochError, openByName } from "./partition_access.ts";

type TopicResponse = NonNullable<LooseResponseOf<typeof offsetForLeaderEpoch>["topics"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

export const offsetForLeaderEpochHandler = handler(
  offsetForLeaderEpoch,
  async (rooms, _context, request) => {
    const topics: TopicResponse[] = [];
    for (const { topic, partitions } of request.topics) {
      const answers: PartitionResponse[] = [];
      for (const { partition, currentLeaderEpoch, leaderEpoch } of partitions) {
        const log = await openByName(rooms, topic, partition);
        if (typeof log === "number") answers.push(refusal(partition, log));
        else {
          const ahead = leaderEpoch > log.leaderEpoch;
          const fenced = leaderEpochError(log, currentLeaderEpoch) ||
            (ahead ? await log.confirm() : ErrorCode.NONE);
          answers.push(
            fenced !== ErrorCode.NONE
              ? refusal(partition, fenced)
              : { partition, errorCode: ErrorCode.NONE, ...log.endOffsetForEpoch(leaderEpoch) },
          );
        }
      }
      topics.push({ topic, partitions: answers });
    }
    return { topics };
  },
);

function refusal(partition: number, errorCode: ErrorCodeValue): PartitionResponse {
  return { partition, errorCode, leaderEpoch: -1, endOffset: -1 };
}
