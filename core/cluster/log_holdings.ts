import type { Logs } from "../log/logs.ts";
import { PartitionLogState } from "../log/partition_log.ts";
import type { RecoveredEntries } from "../log/recovered.ts";
import { rewriteWhole } from "../log/rewrite.ts";
import { COORDINATORS } from "../metadata/assignments.ts";
import { StoreError } from "../storage/object_store.ts";
import type { WalChain } from "../storage/wal/chain.ts";
import type { Holdings, PartitionRef } from "./holdings.ts";

/** The coordinators' side of a move. */
export interface Shards {
  gained(shard: number): void;
  lost(shard: number): void;
}

/** Moves logs by rewriting what is left of them in the WAL, and shards by forgetting them. */
export function logHoldings(logs: Logs, chain: WalChain, shards: Shards): Holdings {
  const state = async ({ topicId, partition }: PartitionRef): Promise<PartitionLogState> => {
    const found = await logs.state(topicId, partition);
    if (found instanceof PartitionLogState) return found;
    throw new StoreError("retry", `the partition cannot be loaded (error code ${found})`);
  };
  const untouched = ({ topicId, partition }: PartitionRef) =>
    topicId === COORDINATORS || !logs.touched(topicId, partition);
  return {
    found: (entries: RecoveredEntries) => logs.recovered.absorb(entries),
    gained({ topicId, partition }) {
      if (topicId === COORDINATORS) shards.gained(partition);
    },
    async prepare(ref) {
      if (untouched(ref)) return false;
      await rewriteWhole(await state(ref));
      return true;
    },
    async handOver(ref) {
      if (untouched(ref)) return;
      const log = await state(ref);
      log.leaving = true;
      await chain.flush();
      await rewriteWhole(log);
      if (log.tail.length > 0 || log.logEndOffset > log.checkpoint.coveredOffset) {
        throw new StoreError("retry", "the partition's WAL entries are not all rewritten yet");
      }
    },
    resume(ref) {
      const found = untouched(ref) ? undefined : logs.state(ref.topicId, ref.partition);
      if (found instanceof PartitionLogState) found.leaving = false;
    },
    lost({ topicId, partition }) {
      if (topicId === COORDINATORS) shards.lost(partition);
      else logs.unload(topicId, partition);
    },
    async cover(ref) {
      if (untouched(ref)) return;
      const log = await state(ref);
      const end = log.highWatermark;
      await rewriteWhole(log);
      if (log.checkpoint.coveredOffset < end) {
        throw new StoreError("retry", "entries in other chains are not rewritten yet");
      }
    },
  };
}
