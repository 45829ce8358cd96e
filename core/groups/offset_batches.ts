/** Offset changes cut to what one transaction of the metadata store takes. */
import { OFFSET_BYTES_PER_TRANSACTION_MAX, OFFSETS_PER_TRANSACTION_MAX } from "../config/limits.ts";
import type { OffsetChange } from "./offsets.ts";

/** What a change takes of a transaction, at most. */
export function changeBytes(groupId: string, { topic, value }: OffsetChange): number {
  // the record's fixed part, two ids, and UTF-8 at its longest
  return 96 + 3 * (groupId.length + topic.length + (value?.metadata.length ?? 0));
}

/** In pieces that fit a transaction each; at least one piece, which may be empty. */
export function split(groupId: string, changes: readonly OffsetChange[]): OffsetChange[][] {
  const pieces: OffsetChange[][] = [[]];
  let bytes = 0;
  for (const change of changes) {
    let piece = pieces.at(-1)!;
    bytes += changeBytes(groupId, change);
    const full = piece.length === OFFSETS_PER_TRANSACTION_MAX ||
      bytes > OFFSET_BYTES_PER_TRANSACTION_MAX;
    if (full && piece.length > 0) {
      pieces.push(piece = []);
      bytes = changeBytes(groupId, change);
    }
    piece.push(change);
  }
  return pieces;
}

/** The last change of each offset: a transaction has one operation per key. */
export function lastChanges(
  batch: readonly { readonly changes: readonly OffsetChange[] }[],
): OffsetChange[] {
  const last = new Map<string, OffsetChange>();
  for (const { changes } of batch) {
    for (const change of changes) last.set(`${change.topic}/${change.partition}`, change);
  }
  return [...last.values()];
}
