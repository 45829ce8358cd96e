/** Raw OffsetCommit v2. */
import { RawWriter } from "./bytes.ts";
import type { RawConnection } from "./raw_connection.ts";

/** Commits for partition 0 as a consumer without a membership does; the partition's error code. */
export async function commitOffset(
  at: RawConnection,
  topic: string,
  offset: number,
  group = "simple",
): Promise<number> {
  const body = new RawWriter().string(group).int32(-1).string("").int64(-1n)
    .int32(1).string(topic).int32(1).int32(0).int64(BigInt(offset)).string("");
  const answer = await at.request(8, 2, body);
  answer.int32();
  answer.string();
  answer.int32();
  answer.int32();
  return answer.int16();
}
