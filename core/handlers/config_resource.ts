/** The resources that have configs, and what is wrong with the others. */
import { ErrorCode } from "../protocol/errors.ts";
import { type Refusal, refusal } from "./admin_request.ts";
import type { Rooms } from "./rooms.ts";

export const RESOURCE = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;

/** A type that has no configs here. */
export function wrongType(resourceType: number): Refusal {
  const name = Object.entries(RESOURCE).find(([, type]) => type === resourceType)?.[0];
  return refusal(
    ErrorCode.INVALID_REQUEST,
    name === undefined
      ? `Unexpected resource type ${resourceType}`
      : `Configs of resource type ${name} (${resourceType}) are not available on this broker`,
  );
}

/** A name that isn't this broker's id. */
export function wrongBroker(rooms: Rooms, name: string): Refusal | undefined {
  if (name === String(rooms.cluster.brokerId)) return undefined;
  return refusal(
    ErrorCode.INVALID_REQUEST,
    /^-?\d+$/.test(name)
      ? `Unexpected broker id, expected ${rooms.cluster.brokerId} or empty string, but received ` +
        name
      : `Broker id must be an integer, but it is: ${name}`,
  );
}

/** Why the configs of this resource cannot be changed; undefined for a topic. */
export function notAlterable(resourceType: number): Refusal | undefined {
  if (resourceType === RESOURCE.topic) return undefined;
  if (resourceType === RESOURCE.broker || resourceType === RESOURCE.brokerLogger) {
    return refusal(
      ErrorCode.INVALID_CONFIG,
      "Broker configs are read-only: change the broker's settings and restart it",
    );
  }
  return wrongType(resourceType);
}
