/**
 * DeleteTopics (key 20), versions 1 to 6.
 *
 *     DeleteTopics => [name topic_id] timeout_ms          (v1-5: [name])
 *
 * A topic is gone for clients when the answer is; its objects are removed afterwards, and a new
 * topic of the same name never meets them (KIP-516). v6 takes a name or an id, not both. What
 * occurs twice, by name, by id or by one of each, is INVALID_REQUEST and is not deleted.
 */
import { ZERO_UUID } from "../bytes/mod.ts";
import type { TopicTarget } from "../metadata/topics.ts";
import type { LooseResponseOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { deleteTopics } from "../protocol/messages/20_delete_topics.ts";
import { adminRefusal, outcomesWithin, refusal, repeated } from "./admin_request.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type TopicResponse = NonNullable<LooseResponseOf<typeof deleteTopics>["responses"]>[number];

interface Asked {
  readonly name: string | null;
  readonly topicId: string;
}

export const deleteTopicsHandler = handler(deleteTopics, async (rooms, context, request) => {
  const asked: readonly Asked[] = context.apiVersion >= 6
    ? request.topics
    : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
  const twice = repeated(asked.map((one) => identity(rooms, one)));
  const denied = adminRefusal(rooms);
  const told = new Set<string>();
  const responses: TopicResponse[] = [];
  const targets: (TopicTarget & Asked)[] = [];
  for (const one of asked) {
    const key = identity(rooms, one);
    const fault = denied ?? shapeFault(one) ??
      (twice.has(key)
        ? refusal(ErrorCode.INVALID_REQUEST, "The topic is named more than once.")
        : undefined);
    if (fault === undefined) {
      const target = one.name === null ? { id: one.topicId } : { name: one.name };
      targets.push({ ...one, ...target } as TopicTarget & Asked);
    } else if (!told.has(`${one.name} ${one.topicId}`)) {
      told.add(`${one.name} ${one.topicId}`);
      responses.push({ ...one, ...fault });
    }
  }
  const outcomes = await outcomesWithin(
    rooms,
    request.timeoutMs,
    targets.length,
    rooms.topics.delete(
      targets.map(({ name, topicId }) => name === null ? { id: topicId } : { name }),
    ),
  );
  targets.forEach(({ name, topicId }, at) => {
    const { errorCode, errorMessage, topic } = outcomes[at]!;
    if (errorCode === ErrorCode.NONE) {
      rooms.runtime.log.info("topic deleted", { topic: topic!.name, id: topic!.id });
    }
    responses.push({
      name: name ?? topic?.name ?? null,
      topicId: topic?.id ?? topicId,
      errorCode,
      errorMessage,
    });
  });
  return { responses };
});

/** The same for the name and for the id of one topic. */
function identity(rooms: Rooms, { name, topicId }: Asked): string {
  return `${name ?? rooms.topics.byId(topicId)?.name ?? ""} ${
    name === null && rooms.topics.byId(topicId) === undefined ? topicId : ""
  }`;
}

function shapeFault({ name, topicId }: Asked) {
  if (name !== null && topicId !== ZERO_UUID) {
    return refusal(
      ErrorCode.INVALID_REQUEST,
      "You may not specify both topic name and topic id.",
    );
  }
  if (name !== null || topicId !== ZERO_UUID) return undefined;
  return refusal(ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.");
}
