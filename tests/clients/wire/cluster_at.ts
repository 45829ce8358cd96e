/** The cluster as one broker tells it, by a raw Metadata v1. */
import { RawWriter } from "./bytes.ts";
import { RawConnection } from "./raw_connection.ts";

export interface ToldCluster {
  readonly brokerIds: readonly number[];
  /** -1: nobody. */
  readonly controllerId: number;
}

export async function clusterAt(bootstrap: string): Promise<ToldCluster> {
  using connection = await RawConnection.open(bootstrap);
  const answer = await connection.request(3, 1, new RawWriter().int32(0));
  const brokerIds = Array.from({ length: answer.int32() }, () => {
    const id = answer.int32();
    answer.string();
    answer.int32();
    answer.string();
    return id;
  });
  return { brokerIds, controllerId: answer.int32() };
}
