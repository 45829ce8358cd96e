/**
 * DescribeConfigs (key 32), versions 1 to 4.
 *
 *     DescribeConfigs => [resource_type resource_name [key]] include_synonyms include_documentation
 *
 * Topics (type 2) and this broker (type 4; the empty name stands for the cluster-wide dynamic
 * configs, of which there are none). No keys means all; unknown keys are left out, as in Kafka.
 * Synonyms come in the order in which they count. Other resource types are INVALID_REQUEST.
 */
import { topicNameFault } from "../metadata/topic_names.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { describeConfigs } from "../protocol/messages/32_describe_configs.ts";
import { type Refusal, refusal } from "./admin_request.ts";
import { brokerEntries, type ConfigEntry, topicEntries } from "./config_entries.ts";
import { RESOURCE, wrongBroker, wrongType } from "./config_resource.ts";
import { handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof describeConfigs>;
type Resource = Request["resources"][number];
type Result = NonNullable<LooseResponseOf<typeof describeConfigs>["results"]>[number];

export const describeConfigsHandler = handler(describeConfigs, (rooms, _context, request) => ({
  results: request.resources.map((resource): Result => {
    const { resourceType, resourceName, configurationKeys } = resource;
    const entries = entriesOf(rooms, request, resource);
    if (!Array.isArray(entries)) return { resourceType, resourceName, ...entries };
    const keys = configurationKeys === null || configurationKeys.length === 0
      ? undefined
      : new Set(configurationKeys);
    return {
      resourceType,
      resourceName,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      configs: entries.filter(({ name }) => keys === undefined || keys.has(name)),
    };
  }),
}));

function entriesOf(rooms: Rooms, request: Request, resource: Resource): ConfigEntry[] | Refusal {
  const { resourceType, resourceName } = resource;
  if (resourceType === RESOURCE.topic) {
    const fault = topicNameFault(resourceName);
    if (fault !== undefined) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, fault);
    const topic = rooms.topics.byName(resourceName);
    if (topic !== undefined) return topicEntries(rooms, topic, request);
    return refusal(
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      `The topic '${resourceName}' does not exist.`,
    );
  }
  if (resourceType !== RESOURCE.broker) return wrongType(resourceType);
  if (resourceName === "") return [];
  return wrongBroker(rooms, resourceName) ?? brokerEntries(rooms, request);
}
