/** How far metadata was, as the slots in a bucket tell; looked at without touching it. */
import { slotOfKey, walPrefix } from "../../core/storage/keys.ts";
import {
  decodeSlotFooter,
  footerLength,
  type MetadataMark,
  NO_MARK,
  type SlotFooter,
  WAL_HEADER_BYTES,
  WAL_TRAILER_BYTES,
} from "../../core/storage/wal/format.ts";
import { laterOf } from "../../core/storage/wal/newest_mark.ts";
import type { MemoryObjects } from "../../drivers/storage/memory/driver.ts";

export function footerOf(slot: Uint8Array): SlotFooter {
  const trailer = slot.subarray(slot.length - WAL_TRAILER_BYTES);
  const tail = slot.subarray(slot.length - footerLength(trailer));
  return decodeSlotFooter(slot.subarray(0, WAL_HEADER_BYTES), tail);
}

export function newestMarkIn(objects: MemoryObjects, namespace: string): MetadataMark {
  return objects.page(walPrefix(namespace), undefined, Infinity)
    .filter(({ key }) => slotOfKey(key) !== undefined)
    .map(({ key }) => footerOf(objects.get(key)!).metadata)
    .reduce(laterOf, NO_MARK);
}
