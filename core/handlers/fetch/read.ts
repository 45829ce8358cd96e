/** Reads the partitions of one fetch, within its own limits and those of all fetches. */
import {
  FETCH_READS_PARALLEL,
  FETCH_RESPONSE_BYTES_FLOOR,
  FETCH_RESPONSE_BYTES_MAX,
} from "../../config/limits.ts";
import type { Isolation } from "../../log/partition.ts";
import { ErrorCode } from "../../protocol/errors.ts";
import type { Log, Semaphore } from "../../runtime/mod.ts";
import { StoreError } from "../../storage/object_store.ts";
import type { RequestContext } from "../handler.ts";
import type { PartitionFetch } from "./partition_fetch.ts";

/**
 * Reads in order of `fetches` until `maxBytes` are planned. The first partition with data returns
 * at least one batch, whatever the limits (KIP-74). Bytes are reserved from `budget` before they
 * are read, and given back, as the buffers are, when the response is sent or dropped.
 */
export async function readPartitions(
  context: RequestContext,
  fetches: readonly PartitionFetch[],
  isolation: Isolation,
  maxBytes: number,
  budget: Semaphore,
  log: Log,
): Promise<void> {
  const limit = responseLimit(maxBytes, budget);
  const { chosen, bytes } = choose(fetches, isolation, limit);
  if (chosen.length === 0) return;
  if (!budget.tryAcquire(bytes)) await budget.acquire(bytes);
  context.onSent(() => {
    budget.release(bytes);
    for (const fetch of chosen) fetch.result?.release();
  });
  if (context.signal.aborted) return;
  for (let at = 0; at < chosen.length; at += FETCH_READS_PARALLEL) {
    const group = chosen.slice(at, at + FETCH_READS_PARALLEL);
    const settled = await Promise.allSettled(
      group.map((fetch) => readOne(fetch, isolation, context.signal, log)),
    );
    // only when all have ended: what they lease must be known before the response is settled
    for (const one of settled) if (one.status === "rejected") throw one.reason;
  }
}

/** The fuller the budget, the smaller the response; so slow consumers cannot starve the others. */
function responseLimit(maxBytes: number, budget: Semaphore): number {
  const share = Math.floor((budget.capacity - budget.used) / 2);
  return Math.min(
    maxBytes,
    FETCH_RESPONSE_BYTES_MAX,
    Math.max(share, Math.min(FETCH_RESPONSE_BYTES_FLOOR, budget.capacity)),
  );
}

/** What to read of each partition, without I/O. */
function choose(
  fetches: readonly PartitionFetch[],
  isolation: Isolation,
  limit: number,
): { chosen: PartitionFetch[]; bytes: number } {
  const chosen: PartitionFetch[] = [];
  let rest = limit;
  let bytes = 0;
  for (const fetch of fetches) {
    if (rest <= 0 && chosen.length > 0) break;
    if (!fetch.readable) continue;
    const wanted = Math.max(0, Math.min(fetch.target.maxBytes, rest));
    if (wanted === 0 && chosen.length > 0) continue;
    const available = fetch.available(isolation, Math.max(1, wanted));
    if (available === 0) continue;
    fetch.limitBytes = wanted;
    fetch.atLeastOneBatch = chosen.length === 0;
    chosen.push(fetch);
    rest -= available;
    bytes += available;
  }
  return { chosen, bytes };
}

/** A store that cannot be read is that partition's error; consumers try again. */
async function readOne(
  fetch: PartitionFetch,
  isolation: Isolation,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const { fetchOffset, partition } = fetch.target;
  const { topic } = fetch.log!;
  try {
    const result = await fetch.log!.read(
      fetchOffset,
      fetch.limitBytes,
      isolation,
      fetch.atLeastOneBatch,
      signal,
    );
    fetch.result = result;
    fetch.errorCode = result.errorCode;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    fetch.errorCode = ErrorCode.KAFKA_STORAGE_ERROR;
    // not a warning: every consumer would repeat it several times a second
    log.debug("read failed", { topic, partition, fetchOffset, error: error.message });
  }
}
