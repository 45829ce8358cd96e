import { ErrorCode } from "../protocol/errors.ts";
import { outcomeOf, type TopicOutcome } from "../metadata/topic_writer.ts";

/** While KAFSCALE_ALLOW_ADMIN_APIS is off, nobody is authorized to change topics. */
export const ADMIN_APIS_OFF: TopicOutcome = outcomeOf(
  ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  "this broker refuses changes of topics (KAFSCALE_ALLOW_ADMIN_APIS is false)",
);
