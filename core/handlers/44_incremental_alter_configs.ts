/**
 * IncrementalAlterConfigs (key 44), versions 0 to 1 (KIP-339).
 *
 *     IncrementalAlterConfigs => [resource_type resource_name [name operation value]] validate_only
 *
 * Operations: 0 set, 1 delete (back to the default), 2 append and 3 subtract for lists, which start
 * from the effective value. Rivals don't lose one another's changes: each is applied to what the
 * topic has at that moment. Brokers are read-only (INVALID_CONFIG), and have nothing to delete.
 */
import { listMembers } from "../metadata/config_value.ts";
import { defaultValue, TOPIC_CONFIGS, type TopicDefaults } from "../metadata/topic_config.ts";
import type { AlterConfigs } from "../metadata/topics.ts";
import type { RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { incrementalAlterConfigs } from "../protocol/messages/44_incremental_alter_configs.ts";
import { type Refusal, refusal, repeated } from "./admin_request.ts";
import { alterResources, OPERATION } from "./alter_resources.ts";
import { handler } from "./handler.ts";

type Resource = RequestOf<typeof incrementalAlterConfigs>["resources"][number];
type Config = Resource["configs"][number];

const OPERATION_NAMES = ["SET", "DELETE", "APPEND", "SUBTRACT"];

export const incrementalAlterConfigsHandler = handler(
  incrementalAlterConfigs,
  async (rooms, _context, { resources, validateOnly }) => ({
    responses: await alterResources(
      rooms,
      resources,
      validateOnly,
      (resource) => plan(resource, rooms.config),
    ),
  }),
);

function plan(
  { resourceName, configs }: Resource,
  defaults: TopicDefaults,
): AlterConfigs | Refusal {
  if (repeated(configs.map((config) => config.name)).size > 0) {
    return refusal(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys");
  }
  for (const config of configs) {
    const fault = operationFault(config);
    if (fault !== undefined) return fault;
  }
  return {
    name: resourceName,
    change: (now) => {
      const next = new Map(now);
      for (const config of configs) applyTo(next, config, defaults);
      return next;
    },
  };
}

function operationFault({ name, configOperation, value }: Config): Refusal | undefined {
  const operation = OPERATION_NAMES[configOperation];
  if (operation === undefined) {
    return refusal(ErrorCode.INVALID_REQUEST, `Unknown operation ${configOperation} for ${name}`);
  }
  if (configOperation === OPERATION.delete) return undefined;
  if (value === null) {
    return refusal(ErrorCode.INVALID_REQUEST, `Null value not supported for: ${name}`);
  }
  const type = TOPIC_CONFIGS.get(name)?.rule.type;
  if (configOperation === OPERATION.set || type === "list" || type === undefined) return undefined;
  return refusal(
    ErrorCode.INVALID_CONFIG,
    `Can't ${operation} to key ${name} because its type is not LIST.`,
  );
}

function applyTo(configs: Map<string, string>, config: Config, defaults: TopicDefaults): void {
  const { name, configOperation, value } = config;
  const row = TOPIC_CONFIGS.get(name);
  if (configOperation === OPERATION.delete) {
    configs.delete(name);
  } else if (configOperation === OPERATION.set || row === undefined) {
    // an unknown name goes in as it is: the registry refuses it with the nearest known one
    configs.set(name, value!);
  } else {
    const present = listMembers(configs.get(name) ?? defaultValue(row, defaults));
    const members = listMembers(value!);
    const next = configOperation === OPERATION.append
      ? [...present, ...members.filter((member) => !present.includes(member))]
      : present.filter((member) => !members.includes(member));
    configs.set(name, next.join(","));
  }
}
