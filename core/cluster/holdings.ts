import type { RecoveredEntries } from "../log/recovered.ts";

/** A partition of a topic, or a shard of the coordinators. */
export interface PartitionRef {
  readonly topicId: string;
  readonly partition: number;
}

/** What ownership moves: the logs of topics, and the shards of the coordinators. */
export interface Holdings {
  /** Entries of partitions that are about to be led, before they are. */
  found(entries: RecoveredEntries): void;
  gained(partition: PartitionRef): void;
  /**
   * Makes a hand-over short, while the partition is led on. Resolves to whether there is anything
   * of it here: without, the hand-over takes no time.
   */
  prepare(partition: PartitionRef): Promise<boolean>;
  /**
   * Takes nothing more for the partition, and resolves when all of it is durable where the next
   * leader finds it without a chain.
   */
  handOver(partition: PartitionRef): Promise<void>;
  /** The hand-over failed: leads on. */
  resume(partition: PartitionRef): void;
  /** Leads it no more: drops what is in memory, wakes who waits. */
  lost(partition: PartitionRef): void;
  /** Nothing of the partition lies in other chains any more, once this resolves. */
  cover(partition: PartitionRef): Promise<void>;
}
