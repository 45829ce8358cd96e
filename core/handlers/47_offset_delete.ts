/**
 * OffsetDelete (key 47), version 0.
 *
 *     OffsetDelete => group_id [topic [partition]]
 *
 * Offsets of topics that a running consumer group is subscribed to stay
 * (GROUP_SUBSCRIBED_TO_TOPIC); of a running group of another kind all stay (NON_EMPTY_GROUP).
 */
import { offsetDelete } from "../protocol/messages/47_offset_delete.ts";
import { handler } from "./handler.ts";

export const offsetDeleteHandler = handler(
  offsetDelete,
  (rooms, _context, request) =>
    rooms.groups.deleteOffsets({
      groupId: request.groupId,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => partitionIndex),
      })),
    }),
);
