/**
 * Which small segments become one, decided from a manifest alone: so that a plan can be part of the
 * manifest that makes it worthwhile, and costs no write of its own (docs/decisions/0005).
 */
import { MERGE_PARTS_MAX, SEGMENT_BUILD_BYTES_MAX } from "../config/limits.ts";
import type { TopicSettings } from "../metadata/topic_config.ts";
import { invariant } from "../runtime/assert.ts";
import type { MergePlan, SegmentInfo } from "../storage/manifest.ts";
import { SEGMENT_FOOTER_BYTES, SEGMENT_HEADER_BYTES } from "../storage/segment/mod.ts";

const ENDS_BYTES = SEGMENT_HEADER_BYTES + SEGMENT_FOOTER_BYTES;
/** A segment's header counts its offsets in an int32. */
const OFFSETS_MAX = 2 ** 31 - 1;

/** What segments are cut at: segment.bytes, as far as memory to build one goes. */
export function builtSegmentBytes(settings: Pick<TopicSettings, "segmentBytes">): number {
  return Math.min(settings.segmentBytes, SEGMENT_BUILD_BYTES_MAX);
}

/**
 * The first run of consecutive small segments (under half of what segments are cut at, and not
 * merged before) that fill a segment or are too many. Whatever the plan, what comes out is no
 * larger than other segments are.
 */
export function planMerge(
  segments: readonly SegmentInfo[],
  settings: Pick<TopicSettings, "segmentBytes">,
): MergePlan | undefined {
  const target = builtSegmentBytes(settings);
  let run: SegmentInfo[] = [];
  let bytes = ENDS_BYTES;
  for (const segment of segments) {
    const small = !segment.merged && segment.bytes < target / 2;
    const joins = run.length > 0 && run.at(-1)!.lastOffset + 1 === segment.baseOffset &&
      segment.lastOffset - run[0]!.baseOffset < OFFSETS_MAX;
    const full = joins && bytes + segment.bytes - ENDS_BYTES > target;
    if (small && full) return planOf(run);
    if (!small || !joins) {
      run = [];
      bytes = ENDS_BYTES;
    }
    if (!small) continue;
    run.push(segment);
    bytes += segment.bytes - ENDS_BYTES;
    if (run.length === MERGE_PARTS_MAX) return planOf(run);
  }
  return undefined;
}

function planOf(run: readonly SegmentInfo[]): MergePlan {
  invariant(run.length > 1, "a merge takes two segments");
  return { firstBase: run[0]!.baseOffset, lastBase: run.at(-1)!.baseOffset };
}

/** The segments that a plan names; a manifest holds all of them as long as it holds the plan. */
export function plannedParts(
  segments: readonly SegmentInfo[],
  plan: MergePlan,
): { at: number; parts: readonly SegmentInfo[] } {
  const at = segments.findIndex(({ baseOffset }) => baseOffset === plan.firstBase);
  const last = segments.findIndex(({ baseOffset }) => baseOffset === plan.lastBase);
  invariant(at >= 0 && last > at, "a manifest lost segments of its merge");
  return { at, parts: segments.slice(at, last + 1) };
}
