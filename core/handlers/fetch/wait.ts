/** The fetch purgatory: a fetch waits here for bytes, and costs nothing but its subscriptions. */
import type { Isolation } from "../../log/partition.ts";
import type { Runtime } from "../../runtime/mod.ts";
import { deferred } from "../../runtime/mod.ts";
import type { PartitionFetch } from "./partition_fetch.ts";

export interface WaitLimits {
  readonly isolation: Isolation;
  readonly minBytes: number;
  readonly maxWaitMs: number;
  /** Ends the wait: the connection is gone or the broker stops. */
  readonly signal: AbortSignal;
}

/**
 * Resolves when `minBytes` can be read over all partitions, when time is up, or when the signal
 * aborts. Each advance of a partition counts that partition only.
 */
export async function waitForBytes(
  runtime: Runtime,
  fetches: readonly PartitionFetch[],
  { isolation, minBytes, maxWaitMs, signal }: WaitLimits,
): Promise<void> {
  const count = (fetch: PartitionFetch) =>
    fetch.available(isolation, Math.min(fetch.target.maxBytes, minBytes));
  const counted: number[] = [];
  let total = 0;
  for (const fetch of fetches) {
    const bytes = count(fetch);
    counted.push(bytes);
    total += bytes;
  }
  if (total >= minBytes || maxWaitMs <= 0 || signal.aborted) return;
  const enough = deferred<void>();
  const finish = () => enough.resolve();
  const stops = fetches.map((fetch, index) =>
    fetch.log!.onAdvance(() => {
      const bytes = count(fetch);
      total += bytes - counted[index]!;
      counted[index] = bytes;
      if (total >= minBytes) finish();
    })
  );
  const timer = runtime.timers.after(maxWaitMs, finish);
  signal.addEventListener("abort", finish);
  try {
    await enough.promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", finish);
    for (const stop of stops) stop();
  }
}

/** A follower is behind for a moment only; who waits longer is better served by the leader. */
const BEHIND_PATIENCE_MS = 1_000;

/** Waits until no followed partition is behind its reader any more, a second at most. */
export async function waitForFollowers(
  runtime: Runtime,
  fetches: readonly PartitionFetch[],
  maxWaitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const behind = () => fetches.some((fetch) => fetch.behind && fetch.log!.closed === 0);
  if (!behind() || signal.aborted) return;
  const caughtUp = deferred<void>();
  const finish = () => caughtUp.resolve();
  const stops = fetches.filter((fetch) => fetch.behind).map((fetch) =>
    fetch.log!.onAdvance(() => {
      if (!behind()) finish();
    })
  );
  const timer = runtime.timers.after(Math.min(maxWaitMs, BEHIND_PATIENCE_MS), finish);
  signal.addEventListener("abort", finish);
  try {
    await caughtUp.promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", finish);
    for (const stop of stops) stop();
  }
}
