/** Committed offsets in memory: one map a group, all maps together within a bound. */
import { offsetOfKey } from "../metadata/mod.ts";
import type { Entry } from "../metadata/mod.ts";
import { type CommittedOffset, unsealOffset } from "./snapshot.ts";

export interface OffsetId {
  readonly topic: string;
  readonly partition: number;
}

/** An offset that is committed, or one that is deleted. */
export interface OffsetChange extends OffsetId {
  readonly value: CommittedOffset | undefined;
}

/** Per offset in memory, besides its text; for the bound only. */
const OFFSET_BYTES = 160;

/** All offsets of one group. */
export class GroupOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>();
  #bytes = 0;

  /** From the entries below the group's `offsetsPrefix`. */
  static fromEntries(groupId: string, entries: readonly Entry[]): GroupOffsets {
    const offsets = new GroupOffsets();
    for (const { key, value } of entries) {
      const id = offsetOfKey(groupId, key);
      if (id !== undefined) offsets.apply({ ...id, value: unsealOffset(key, value) });
    }
    return offsets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    let size = 0;
    for (const partitions of this.#topics.values()) size += partitions.size;
    return size;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  *entries(): Iterable<OffsetId & { readonly value: CommittedOffset }> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, value] of partitions) yield { topic, partition, value };
    }
  }

  apply({ topic, partition, value }: OffsetChange): void {
    let partitions = this.#topics.get(topic);
    const old = partitions?.get(partition);
    if (old !== undefined) this.#bytes -= weight(old);
    if (value === undefined) {
      partitions?.delete(partition);
      if (partitions?.size === 0) this.#topics.delete(topic);
      return;
    }
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    partitions.set(partition, value);
    this.#bytes += weight(value);
  }
}

function weight(offset: CommittedOffset): number {
  return OFFSET_BYTES + offset.metadata.length * 2;
}

/** Keeps the offsets of the groups used last; a group's own are always kept while it is in use. */
export class OffsetCache {
  /** Owner → its offsets, least recently used first. */
  readonly #held = new Map<object, GroupOffsets>();
  #bytes = 0;

  constructor(readonly bytesMax: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get(owner: object): GroupOffsets | undefined {
    const offsets = this.#held.get(owner);
    if (offsets === undefined) return undefined;
    this.#held.delete(owner);
    this.#held.set(owner, offsets);
    return offsets;
  }

  put(owner: object, offsets: GroupOffsets): void {
    this.drop(owner);
    this.#held.set(owner, offsets);
    this.#bytes += offsets.bytes;
    this.#evict();
  }

  /** Changes offsets that are held; those that are not will be loaded with the change in them. */
  apply(owner: object, changes: Iterable<OffsetChange>): void {
    const offsets = this.#held.get(owner);
    if (offsets === undefined) return;
    const before = offsets.bytes;
    for (const change of changes) offsets.apply(change);
    this.#bytes += offsets.bytes - before;
    this.#evict();
  }

  drop(owner: object): void {
    const offsets = this.#held.get(owner);
    if (offsets === undefined) return;
    this.#held.delete(owner);
    this.#bytes -= offsets.bytes;
  }

  #evict(): void {
    for (const owner of this.#held.keys()) {
      if (this.#bytes <= this.bytesMax) return;
      this.drop(owner);
    }
  }
}
