/** Gather lists on files, with few round trips and without copying what is large. */
import { syncError } from "./errors.ts";
import {
  SCRATCH_BYTES,
  SMALL_PART_BYTES,
  SYNC_STEP_BYTES,
  WRITE_SYNC_BYTES_MAX,
} from "./settings.ts";

/** Kept for the next write or read: what each left to the garbage collector would add up. */
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
    scratch ??= takeScratch(remainingBytes(parts, at));
    scratch.set(part, used);
    used += part.length;
  }
  if (used > 0) await writeAll(file, scratch!.subarray(0, used));
  if (scratch !== undefined) giveScratch(scratch);
}

/** For up to SCRATCH_BYTES of `wanted` bytes. */
function takeScratch(wanted: number): Uint8Array {
  if (wanted < SCRATCH_BYTES / 2) return new Uint8Array(wanted);
  return idle.pop() ?? new Uint8Array(SCRATCH_BYTES);
}

function giveScratch(scratch: Uint8Array): void {
  if (scratch.length === SCRATCH_BYTES && idle.length < IDLE_MAX) idle.push(scratch);
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

/**
 * Writes all parts from `start` on. What is small goes into the page cache at once: the way through
 * the thread pool takes longer.
 */
export async function writeAt(
  file: Pick<Deno.FsFile, "seekSync" | "write" | "writeSync">,
  start: number,
  parts: readonly Uint8Array[],
): Promise<void> {
  file.seekSync(start, Deno.SeekMode.Start);
  for (const part of parts) {
    const atOnce = part.length <= WRITE_SYNC_BYTES_MAX;
    for (let at = 0; at < part.length;) {
      const rest = at === 0 ? part : part.subarray(at);
      at += atOnce ? file.writeSync(rest) : await file.write(rest);
    }
  }
}

/** The buffers for the first `bytes` of what would fill all of them. */
export function firstBytes(into: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let room = Math.max(0, bytes);
  for (let at = 0; at < into.length; at++) {
    const part = into[at]!;
    if (part.length > room) return [...into.slice(0, at), part.subarray(0, room)];
    room -= part.length;
  }
  return into;
}

type ReadableFile = Pick<Deno.FsFile, "read">;

/** Fills the buffers from `start` on, as far as the file goes; how many bytes that were. */
export async function readAt(
  file: ReadableFile & Pick<Deno.FsFile, "seekSync">,
  start: number,
  into: readonly Uint8Array[],
): Promise<number> {
  // it may have been read before
  file.seekSync(start, Deno.SeekMode.Start);
  return await readBody(file, into);
}

/** So many bytes from `start` on, or fewer where the file ends. */
export async function readFrom(
  file: ReadableFile & Pick<Deno.FsFile, "seekSync">,
  start: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, await readAt(file, start, [bytes]));
}

/**
 * Fills the buffers from the file's position on, as far as it goes; how many bytes that were. Small
 * neighbours are read together and copied: a call costs more than that.
 */
export async function readBody(
  file: ReadableFile,
  into: readonly Uint8Array[],
): Promise<number> {
  const parts = [...neighboursJoined(into)];
  let total = 0;
  for (let at = 0; at < parts.length;) {
    let bytes = parts[at]!.length;
    let end = at + 1;
    if (bytes < SMALL_PART_BYTES) {
      for (; end < parts.length; end++) {
        const { length } = parts[end]!;
        if (length >= SMALL_PART_BYTES || bytes + length > SCRATCH_BYTES) break;
        bytes += length;
      }
    }
    const read = end === at + 1
      ? await readAll(file, parts[at]!)
      : await readSmall(file, parts.slice(at, end), bytes);
    total += read;
    if (read < bytes) break;
    at = end;
  }
  return total;
}

/** Parts of so many bytes together. */
async function readSmall(
  file: ReadableFile,
  parts: readonly Uint8Array[],
  bytes: number,
): Promise<number> {
  const scratch = takeScratch(bytes);
  const read = await readAll(file, scratch.subarray(0, bytes));
  scatter(scratch.subarray(0, read), 0, parts);
  giveScratch(scratch);
  return read;
}

/** Copies `bytes` from `start` on into the buffers, as far as they go; how many that were. */
export function scatter(bytes: Uint8Array, start: number, into: readonly Uint8Array[]): number {
  let at = Math.min(start, bytes.length);
  const first = at;
  for (const buffer of into) {
    const part = bytes.subarray(at, at + buffer.length);
    buffer.set(part);
    at += part.length;
  }
  return at - first;
}

async function readAll(file: ReadableFile, into: Uint8Array): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const read = await file.read(at === 0 ? into : into.subarray(at));
    if (read === null) break;
    at += read;
  }
  return at;
}

/** The same memory in fewer buffers: those that lie behind each other as one. */
function* neighboursJoined(buffers: readonly Uint8Array[]): Generator<Uint8Array> {
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
