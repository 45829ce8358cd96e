/** What AlterConfigs and IncrementalAlterConfigs share. */
import type { AlterConfigs } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { adminRefusal, type Refusal, refusal, repeated } from "./admin_request.ts";
import { notAlterable, RESOURCE, wrongBroker } from "./config_resource.ts";
import type { Rooms } from "./rooms.ts";

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: readonly { readonly name: string; readonly configOperation?: number }[];
}

/** Of IncrementalAlterConfigs. */
export const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

export interface ResourceResponse {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly errorCode: ErrorCodeValue;
  readonly errorMessage: string | null;
}

/** Changes each topic among `resources` as `plan` says; answers in the order of the resources. */
export async function alterResources<R extends Resource>(
  rooms: Rooms,
  resources: readonly R[],
  validateOnly: boolean,
  plan: (resource: R) => AlterConfigs | Refusal,
): Promise<ResourceResponse[]> {
  const denied = adminRefusal(rooms);
  const key = ({ resourceType, resourceName }: R) => `${resourceType} ${resourceName}`;
  const twice = repeated(resources.map(key));
  const changes: AlterConfigs[] = [];
  const plans = resources.map((resource): Refusal | typeof UNCHANGED | number => {
    if (twice.has(key(resource))) {
      return refusal(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.");
    }
    const planned = denied ?? unset(rooms, resource) ?? notAlterable(resource.resourceType) ??
      plan(resource);
    return "errorCode" in planned ? planned : changes.push(planned) - 1;
  });
  const outcomes = await rooms.topics.alterConfigs(changes, validateOnly);
  return resources.map(({ resourceType, resourceName }, at) => {
    const planned = plans[at]!;
    const { errorCode, errorMessage } = typeof planned === "number" ? outcomes[planned]! : planned;
    return { resourceType, resourceName, errorCode, errorMessage };
  });
}

const UNCHANGED = { errorCode: ErrorCode.NONE, errorMessage: null } as const;

/**
 * Deleting a broker's dynamic configs is done when it is asked for, since there are never any:
 * kafka-reassign-partitions does so after each move, to end its throttles.
 */
function unset(rooms: Rooms, resource: Resource): Refusal | typeof UNCHANGED | undefined {
  const { resourceType, resourceName, configs } = resource;
  if (resourceType !== RESOURCE.broker || configs.length === 0) return undefined;
  const deletes = configs.every((config) => config.configOperation === OPERATION.delete);
  if (!deletes) return undefined;
  return resourceName === "" ? UNCHANGED : wrongBroker(rooms, resourceName) ?? UNCHANGED;
}
