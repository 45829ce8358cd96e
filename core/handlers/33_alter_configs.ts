/**
 * AlterConfigs (key 33), versions 0 to 2.
 *
 *     AlterConfigs => [resource_type resource_name [name value]] validate_only
 *
 * Replaces all overrides of a topic: what is not named goes back to its default. Brokers are
 * read-only (INVALID_CONFIG). Each resource is changed whole or not at all, on its own.
 */
import type { AlterConfigs } from "../metadata/topics.ts";
import type { RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { alterConfigs } from "../protocol/messages/33_alter_configs.ts";
import { type Refusal, refusal, repeated } from "./admin_request.ts";
import { alterResources } from "./alter_resources.ts";
import { handler } from "./handler.ts";

type Resource = RequestOf<typeof alterConfigs>["resources"][number];

export const alterConfigsHandler = handler(alterConfigs, async (rooms, _context, request) => ({
  responses: await alterResources(rooms, request.resources, request.validateOnly, plan),
}));

function plan({ resourceName, configs }: Resource): AlterConfigs | Refusal {
  if (repeated(configs.map((config) => config.name)).size > 0) {
    return refusal(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys");
  }
  const wanted = new Map(configs.map(({ name, value }) => [name, value]));
  return { name: resourceName, change: () => wanted };
}
