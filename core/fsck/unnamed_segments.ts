/**
 * Segments that the newest manifest does not name: what a crash, a rival or a late write left, or,
 * where manifests were lost, the only copy of something.
 */
import { indexKey, segmentKey } from "../storage/keys.ts";
import type { Manifest } from "../storage/manifest.ts";
import { forEachAtOnce } from "./bucket.ts";
import type { PartitionCheck } from "./partition_check.ts";
import { checkSegment } from "./segment_check.ts";
import type { Tail } from "./tail_check.ts";

export async function checkUnnamed(
  check: PartitionCheck,
  manifest: Manifest | undefined,
  tail: Tail,
): Promise<void> {
  const { context, listing, prefix } = check;
  const known = new Set<number>();
  for (const { baseOffset } of manifest?.segments ?? []) known.add(baseOffset);
  for (const { baseOffset } of manifest?.removed ?? []) known.add(baseOffset);
  const unnamed = [...listing.segments].filter(([base]) => !known.has(base));
  await forEachAtOnce(
    unnamed,
    context.bucket.parallel,
    ([base, size]) => checkOne(check, manifest, tail, base, size),
  );
  for (const base of listing.indexes) {
    if (known.has(base) || listing.segments.has(base)) continue;
    const key = indexKey(prefix, base);
    check.found("index-orphan", key, "has no segment", { kind: "delete", keys: [key] });
  }
}

async function checkOne(
  check: PartitionCheck,
  manifest: Manifest | undefined,
  tail: Tail,
  baseOffset: number,
  size: number,
): Promise<void> {
  const { context, prefix, intervalBytes } = check;
  const key = segmentKey(prefix, baseOffset);
  const index = indexKey(prefix, baseOffset);
  const { head, findings } = await checkSegment(context, {
    key,
    indexKey: index,
    baseOffset,
    size,
    expected: [],
    maxTimestampMs: undefined,
    hasIndex: undefined,
    intervalBytes,
  });
  const keys = check.listing.indexes.has(baseOffset) ? [key, index] : [key];
  const remove = { kind: "delete", keys } as const;
  if (head === undefined || findings.length > 0) {
    // What it may have held begins at its base offset, and ends where nobody can tell.
    const why = findings[0]?.text ?? "cannot be read";
    if (tail.holds(baseOffset, tail.end)) {
      return check.found("segment-orphan", key, `is named by no manifest, and ${why}`, remove);
    }
    return check.found("segment-unnamed", key, `is named by no manifest, and ${why}`);
  }
  const { lastOffset } = head;
  if (!tail.holds(baseOffset, lastOffset + 1)) {
    const code = manifest === undefined ? "manifest-missing" : "segment-unnamed";
    const text = `is named by no manifest, and some of its offsets ${baseOffset} to ` +
      `${lastOffset} are nowhere else`;
    return check.found(code, key, text);
  }
  // A rewriting that a crash cut short: the next one starts here and takes it over.
  if (baseOffset === tail.start && lastOffset < tail.end) return;
  const text = `is named by no manifest; its offsets ${baseOffset} to ${lastOffset} are elsewhere`;
  check.found("segment-orphan", key, text, remove);
}
