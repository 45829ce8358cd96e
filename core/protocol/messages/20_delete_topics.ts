/**
 * DeleteTopics (20) v1-6: Deletes topics by name, from v6 on also by id.
 *
 *   DeleteTopics v1-6 => [topics name topic_id] [topic_names] timeout_ms
 *   answer => throttle_time_ms [responses name topic_id error_code error_message]
 *
 * v3: TOPIC_DELETION_DISABLED may be answered
 * v4: compact lengths and tagged fields (KIP-482)
 * v5: error text, THROTTLING_QUOTA_EXCEEDED (KIP-599)
 * v6: topic ids (KIP-516)
 */
import { api, array, int16, int32, string, uuid } from "../schema.ts";

export const deleteTopics = api({
  key: 20,
  name: "DeleteTopics",
  versions: [1, 6],
  flexibleFrom: 4,
  request: {
    topics: array({
      /** Null: by id. */
      name: string.orNull(),
      topicId: uuid,
    }).since(6),
    topicNames: array(string).until(5),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32,
    responses: array({
      name: string.nullable(6),
      topicId: uuid.since(6),
      errorCode: int16,
      errorMessage: string.orNull().since(5),
    }),
  },
});
