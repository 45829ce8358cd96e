import { MalformedError } from "../../bytes/mod.ts";
import type { CallOptions, ObjectStore } from "../object_store.ts";
import {
  decodeSlotFooter,
  footerLength,
  type SlotFooter,
  WAL_HEADER_BYTES,
  WAL_TRAILER_BYTES,
} from "./format.ts";

/** Most footers fit in one read of this many bytes from the object's end. */
const TAIL_BYTES = 64 << 10;

/**
 * The footer of the slot at `key`, of `size` bytes; its body is not read. Undefined where there is
 * no such object; MalformedError where the object is not a whole slot.
 */
export async function readSlotFooter(
  store: Pick<ObjectStore, "get">,
  key: string,
  size: number,
  options?: CallOptions,
): Promise<SlotFooter | undefined> {
  if (size < WAL_HEADER_BYTES + WAL_TRAILER_BYTES) {
    throw new MalformedError("WAL slot is too short");
  }
  const start = Math.max(0, size - TAIL_BYTES);
  const tail = await store.get(key, { start, end: size }, options);
  if (tail === undefined) return undefined;
  if (tail.length !== size - start) throw new MalformedError("WAL slot changed its size");
  const length = footerLength(tail.subarray(tail.length - WAL_TRAILER_BYTES));
  if (length > size - WAL_HEADER_BYTES) {
    throw new MalformedError("WAL footer is longer than its slot");
  }
  const header = start === 0
    ? tail.subarray(0, WAL_HEADER_BYTES)
    : await store.get(key, { start: 0, end: WAL_HEADER_BYTES }, options);
  const footer = length <= tail.length
    ? tail.subarray(tail.length - length)
    : await store.get(key, { start: size - length, end: size }, options);
  if (header === undefined || footer === undefined) return undefined;
  return decodeSlotFooter(header, footer);
}

/** A slot with everything that is in it. */
export interface WholeSlot {
  readonly bytes: Uint8Array;
  readonly footer: SlotFooter;
}

/**
 * The slot at `key`, whose size nobody knows yet: one GET. Undefined where there is no such object;
 * MalformedError where it is not a whole slot.
 */
export async function readWholeSlot(
  store: Pick<ObjectStore, "get">,
  key: string,
  options?: CallOptions,
): Promise<WholeSlot | undefined> {
  const bytes = await store.get(key, undefined, options);
  if (bytes === undefined) return undefined;
  if (bytes.length < WAL_HEADER_BYTES + WAL_TRAILER_BYTES) {
    throw new MalformedError("WAL slot is too short");
  }
  const length = footerLength(bytes.subarray(bytes.length - WAL_TRAILER_BYTES));
  if (length > bytes.length - WAL_HEADER_BYTES) {
    throw new MalformedError("WAL footer is longer than its slot");
  }
  const header = bytes.subarray(0, WAL_HEADER_BYTES);
  const footer = decodeSlotFooter(header, bytes.subarray(bytes.length - length));
  return { bytes, footer };
}
