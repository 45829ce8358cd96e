/** What the groups room needs of the broker around it. */
import type { Config } from "../config/mod.ts";

/** The settings that this room reads; a whole Config fits. */
export type GroupSettings = Pick<
  Config,
  | "groupInitialRebalanceDelayMs"
  | "groupMinSessionTimeoutMs"
  | "groupMaxSessionTimeoutMs"
  | "groupMaxSize"
  | "offsetsRetentionMinutes"
  | "offsetsRetentionCheckIntervalMs"
  | "offsetMetadataMaxBytes"
>;

export interface GroupTopic {
  readonly id: string;
  readonly name: string;
  readonly partitionCount: number;
}

/** Which topics exist now; the TopicRegistry fits. */
export interface GroupTopics {
  byName(name: string): GroupTopic | undefined;
  byId(id: string): GroupTopic | undefined;
}
