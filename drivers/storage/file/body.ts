/** Gather lists on files, with few round trips and without copying what is large. */
import { syncError } from "./errors.ts";
import { SCRATCH_BYTES, SMALL_PART_BYTES, SYNC_STEP_BYTES } from "./settings.ts";

/** Kept for the next write: what each left to the garbage collector would add up. */
const idle: Uint8Array[] = [];
const IDLE_MAX = 2;

/**
 * Writes a large body like `writeBody` does, and makes it durable in steps: what waits for the disk
 * meanwhile waits for one of them. Before each the others have their turn.
 */
export async function writeInSteps(
  file: Deno.FsFile,
  parts: readonly Uint8Array[],
  othersFirst: () => Promise<void> | undefined,
): Promise<void> {
  for (let at = 0; at < parts.length;) {
    const from = at;
    for (let bytes = 0; at < parts.length && bytes < SYNC_STEP_BYTES; at++) {
      bytes += parts[at]!.length;
    }
    await othersFirst();
    await writeBody(file, parts.slice(from, at));
    await file.syncData().catch((error) => {
      throw syncError(error, "fdatasync a part of an object");
    });
  }
}

/** Writes all parts in order. Small neighbours are copied together; `parts` stay untouched. */
export async function writeBody(file: Deno.FsFile, parts: readonly Uint8Array[]): Promise<void> {
  let scratch: Uint8Array | undefined;
  let used = 0;
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at]!;
    const small = part.length < SMALL_PART_BYTES;
    if (used > 0 && (!small || used + part.length > SCRATCH_BYTES)) {
      await writeAll(file, scratch!.subarray(0, used));
      used = 0;
    }
    if (part.length === 0) continue;
    const alone = used === 0 && at === parts.length - 1;
    if (!small || alone) {
      await writeAll(file, part);
      continue;
    }
    scratch ??= remainingBytes(parts, at) >= SCRATCH_BYTES / 2
      ? idle.pop() ?? new Uint8Array(SCRATCH_BYTES)
      : new Uint8Array(remainingBytes(parts, at));
    scratch.set(part, used);
    used += part.length;
  }
  if (used > 0) await writeAll(file, scratch!.subarray(0, used));
  if (scratch?.length === SCRATCH_BYTES && idle.length < IDLE_MAX) idle.push(scratch);
}

function remainingBytes(parts: readonly Uint8Array[], from: number): number {
  let bytes = 0;
  for (let at = from; at < parts.length && bytes < SCRATCH_BYTES; at++) bytes += parts[at]!.length;
  return bytes;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await file.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

/** The same memory in fewer buffers: those that lie behind each other as one. */
export function* neighboursJoined(buffers: readonly Uint8Array[]): Generator<Uint8Array> {
  let joined: Uint8Array | undefined;
  for (const next of buffers) {
    const { buffer, byteOffset, length } = joined ?? next;
    if (joined === undefined) joined = next;
    else if (next.buffer === buffer && next.byteOffset === byteOffset + length) {
      joined = new Uint8Array(buffer, byteOffset, length + next.length);
    } else {
      yield joined;
      joined = next;
    }
  }
  if (joined !== undefined) yield joined;
}
