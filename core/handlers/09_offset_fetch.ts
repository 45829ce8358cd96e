/**
 * OffsetFetch (key 9), versions 1 to 9.
 *
 *     OffsetFetch v1-7 => group_id [topic [partition]] require_stable
 *     OffsetFetch v8+  => [group_id member_id member_epoch [topic [partition]]] require_stable
 *
 * Null topics (v2) mean all. Offset -1 without an error: nothing is committed, or the group or
 * topic doesn't exist. Version 1 has no place for an error of the group, so every partition carries
 * it.
 */
import type { OffsetFetchReply } from "../groups/requests.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { offsetFetch } from "../protocol/messages/09_offset_fetch.ts";
import { handler } from "./handler.ts";

const GROUP_ERROR_SINCE = 2;
const BATCHED_SINCE = 8;

type Asked = readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[];

export const offsetFetchHandler = handler(offsetFetch, async (rooms, context, request) => {
  const { requireStable } = request;
  if (context.apiVersion >= BATCHED_SINCE) {
    const groups = await Promise.all(request.groups.map(async ({ groupId, topics }) => {
      return { groupId, ...await rooms.groups.fetchOffsets({ groupId, topics, requireStable }) };
    }));
    return { groups };
  }
  const { groupId, topics } = request;
  const reply = await rooms.groups.fetchOffsets({ groupId, topics, requireStable });
  return context.apiVersion < GROUP_ERROR_SINCE ? onPartitions(reply, topics ?? []) : reply;
});

/** The group's error on every partition that was asked for. */
function onPartitions(reply: OffsetFetchReply, asked: Asked): OffsetFetchReply {
  const { errorCode } = reply;
  if (errorCode === ErrorCode.NONE) return reply;
  const topics = asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: "",
      errorCode,
    })),
  }));
  return { errorCode, topics };
}
