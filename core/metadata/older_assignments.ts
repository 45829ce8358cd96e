/**
 * Assignment records that went back, as after a restore (docs/decisions/0011): who led since is not
 * in them, and may have left entries that no manifest covers in chains that they do not name.
 */
import { LEADER_EPOCHS_LOST_MAX } from "../config/limits.ts";
import {
  assignmentOf,
  type ChainRef,
  changeAssignment,
  COORDINATORS,
  sameChain,
} from "./assignments.ts";
import { readAllChains } from "./brokers.ts";
import { ASSIGNMENTS_PREFIX } from "./keys.ts";
import type { MetadataStore } from "./metadata_store.ts";

/**
 * Names `chains` as sources of every partition, so that whoever leads it next reads them first, and
 * leaps over the leader epochs that may have been given out. Where all are named already nothing is
 * done. A footer too many that is read costs little; what manifests cover is left out there.
 */
export async function nameSources(
  metadata: MetadataStore,
  chains: readonly ChainRef[],
): Promise<void> {
  const { entries } = await metadata.list(ASSIGNMENTS_PREFIX);
  for (const { topicId } of entries.map(assignmentOf)) {
    // their shards have no log
    if (topicId === COORDINATORS) continue;
    await changeAssignment(metadata, topicId, (present) => {
      const next = present?.map((partition) => {
        const named = [
          ...partition.sources,
          ...partition.owner === undefined ? [] : [partition.owner],
        ];
        const missing = chains.filter((chain) => !named.some((each) => sameChain(each, chain)));
        if (missing.length === 0) return partition;
        return {
          ...partition,
          sources: [...partition.sources, ...missing],
          leaderEpoch: partition.leaderEpoch + LEADER_EPOCHS_LOST_MAX,
        };
      });
      return next?.some((partition, at) => partition !== present![at]) ? next : undefined;
    });
  }
}

/**
 * For metadata that was just put back, while no broker runs: any chain that it knows may hold what
 * was written since by whoever led then.
 */
export async function nameAllChains(metadata: MetadataStore): Promise<void> {
  const chains = (await readAllChains(metadata)).flatMap(({ brokerId, chains }) =>
    chains.map(({ epoch }) => ({ brokerId, brokerEpoch: epoch }))
  );
  await nameSources(metadata, chains);
}
