/** Which broker coordinates a group, by a raw FindCoordinator v0. */
import { RawWriter } from "./bytes.ts";
import { RawConnection } from "./raw_connection.ts";

/** The broker's id; undefined while nobody does. */
export async function coordinatorOf(bootstrap: string, group: string): Promise<number | undefined> {
  using connection = await RawConnection.open(bootstrap);
  const answer = await connection.request(10, 0, new RawWriter().string(group));
  return answer.int16() === 0 ? answer.int32() : undefined;
}
