/**
 * A request or response on a connection: int32 size, then that many bytes.
 */
import { MalformedError, Writer } from "../bytes/mod.ts";
import { FRAME_BYTES_MIN } from "../config/limits.ts";

/** The size field itself. */
export const FRAME_SIZE_BYTES = 4;

/**
 * Bytes of the frame whose size field is at `at`, the field not counted. To be called before
 * anything is allocated for it: throws MalformedError for a size that no request can have, or that
 * is above `bytesMax`.
 */
export function frameSize(view: DataView, at: number, bytesMax: number): number {
  const size = view.getInt32(at);
  if (size < FRAME_BYTES_MIN) throw new MalformedError("frame is smaller than a request header");
  if (size > bytesMax) throw new MalformedError("frame is larger than the limit");
  return size;
}

/** The gather list of a whole frame: the size field in front of what `body` wrote. */
export function framed(body: Writer): Uint8Array[] {
  const size = new Writer(FRAME_SIZE_BYTES);
  size.int32(body.length);
  return [...size.finish(), ...body.finish()];
}
