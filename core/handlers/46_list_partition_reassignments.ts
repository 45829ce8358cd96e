/**
 * ListPartitionReassignments (key 46), version 0 (KIP-455).
 *
 *     ListPartitionReassignments => timeout_ms [name [partition]]          null topics: all
 *
 * There are never any: brokers hold no copies that could be moved. As in Kafka, partitions that
 * don't exist are not an error here.
 */
import { ErrorCode } from "../protocol/errors.ts";
import {
  listPartitionReassignments,
} from "../protocol/messages/46_list_partition_reassignments.ts";
import { handler } from "./handler.ts";

export const listPartitionReassignmentsHandler = handler(
  listPartitionReassignments,
  () => ({ errorCode: ErrorCode.NONE, errorMessage: null, topics: [] }),
);
