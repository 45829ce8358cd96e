/** What AlterConfigs and IncrementalAlterConfigs share. */
import type { AlterConfigs } from "../metadata/topics.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { adminRefusal, type Refusal, refusal, repeated } from "./admin_request.ts";
import { notAlterable } from "./config_resource.ts";
import type { Rooms } from "./rooms.ts";

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

export interface ResourceResponse extends Resource {
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
  const plans = resources.map((resource): Refusal | number => {
    if (twice.has(key(resource))) {
      return refusal(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.");
    }
    const planned = denied ?? notAlterable(resource.resourceType) ?? plan(resource);
    return "errorCode" in planned ? planned : changes.push(planned) - 1;
  });
  const outcomes = await rooms.topics.alterConfigs(changes, validateOnly);
  return resources.map(({ resourceType, resourceName }, at) => {
    const planned = plans[at]!;
    const { errorCode, errorMessage } = typeof planned === "number" ? outcomes[planned]! : planned;
    return { resourceType, resourceName, errorCode, errorMessage };
  });
}
