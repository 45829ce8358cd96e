/**
 * Assignment records that went back, as after a restore (docs/decisions/0011): who led since is not
 * in them, and may have left entries that no manifest covers in chains that they do not name.
 */
import { GENERATION_LEADER_EPOCHS } from "../config/limits.ts";
import {
  assignmentOf,
  type ChainRef,
  changeAssignment,
  COORDINATORS,
  sameChain,
} from "./assignments.ts";
import { ASSIGNMENTS_PREFIX } from "./keys.ts";
import type { MetadataStore } from "./metadata_store.ts";

/**
 * Names `chains` as sources of every partition, so that whoever leads it next reads them first, and
 * leaps to leader epochs that were given out in no generation of metadata before this one. Where
 * all that is done already nothing is. A footer too many that is read costs little; what manifests
 * cover is left out there.
 */
export async function nameSources(
  metadata: MetadataStore,
  chains: readonly ChainRef[],
  generation: number,
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
        const leaderEpoch = Math.max(partition.leaderEpoch, generation * GENERATION_LEADER_EPOCHS);
        if (missing.length === 0 && leaderEpoch === partition.leaderEpoch) return partition;
        return { ...partition, sources: [...partition.sources, ...missing], leaderEpoch };
      });
      return next?.some((partition, at) => partition !== present![at]) ? next : undefined;
    });
  }
}
