/**
 * What recovery found in sealed chains: the entries of each partition, waiting for the partition's
 * manifest to say which of them still matter.
 */
import type { ChainId, SealedSlot } from "../storage/wal/seal.ts";
import type { WalObject } from "../storage/wal/commit.ts";
import type { PartitionRows } from "../storage/wal/format.ts";
import type { TailEntry } from "./tail.ts";

export class RecoveredEntries {
  readonly #partitions = new Map<string, Map<number, TailEntry[]>>();
  readonly #objects = new Map<string, WalObject>();
  #bytes = 0;

  /** Bytes of the batches that still wait here. */
  get bytes(): number {
    return this.#bytes;
  }

  #holding = false;

  /** WAL objects that entries lie in, and that may be deleted once those are covered. */
  get objects(): readonly WalObject[] {
    return this.#holding ? [] : [...this.#objects.values()];
  }

  get partitionCount(): number {
    let count = 0;
    for (const partitions of this.#partitions.values()) count += partitions.size;
    return count;
  }

  /** Adds the slots of one sealed chain; entries that are known already are skipped. */
  addChain(chain: ChainId, slots: readonly SealedSlot[]): void {
    for (const { key, size, footer } of slots) {
      const own = () => this.#object(key, size, chain.brokerEpoch, footer.slot, footer.createdMs);
      for (const { topicId, partition, rows } of footer.partitions) {
        const entries = this.#entries(topicId, partition);
        for (const row of rows) {
          const object = footer.kind === "adoption"
            ? this.#object(footer.objects[row.object]!, 0, -1, -1, footer.createdMs)
            : own();
          entries.push({ row, object, adoption: undefined });
        }
      }
    }
  }

  /**
   * Sorts every partition's entries, drops doubles (an entry may be named by its own slot and by an
   * adoption) and those of partitions that `keep` refuses, and counts the rest live. With `hold` no
   * object may be deleted when there are refused ones; the ids of their topics are returned.
   */
  settle(keep: (topicId: string, partition: number) => boolean, hold = false): string[] {
    const refused = new Set<string>();
    for (const [topicId, partitions] of this.#partitions) {
      for (const [partition, entries] of partitions) {
        if (keep(topicId, partition)) {
          partitions.set(partition, sortedUnique(entries));
        } else {
          partitions.delete(partition);
          refused.add(topicId);
        }
      }
      if (partitions.size === 0) this.#partitions.delete(topicId);
    }
    for (const partitions of this.#partitions.values()) {
      for (const entries of partitions.values()) {
        for (const { object, row } of entries) {
          object.live++;
          this.#bytes += row.length;
          object.size = Math.max(object.size, row.position + row.length);
        }
      }
    }
    for (const [key, object] of this.#objects) if (object.live === 0) this.#objects.delete(key);
    this.#holding = hold && refused.size > 0;
    return this.#holding ? [...refused] : [];
  }

  /** The adoption record: objects, and each partition's rows that point into them. */
  adoption(): { objects: string[]; partitions: PartitionRows[]; rows: number } {
    const objects = [...this.#objects.keys()];
    const indexes = new Map(objects.map((key, index) => [key, index]));
    const partitions: PartitionRows[] = [];
    let count = 0;
    for (const [topicId, byPartition] of this.#partitions) {
      for (const [partition, entries] of byPartition) {
        const rows = entries.map(({ row, object }) => ({
          ...row,
          object: indexes.get(object.key)!,
        }));
        count += rows.length;
        partitions.push({ topicId, partition, rows });
      }
    }
    return { objects, partitions, rows: count };
  }

  /** Names the adoption record that now vouches for every entry. */
  adoptedBy(adoption: WalObject): void {
    for (const partitions of this.#partitions.values()) {
      for (const [partition, entries] of partitions) {
        partitions.set(partition, entries.map((entry) => ({ ...entry, adoption })));
      }
    }
  }

  /** A partition's entries; they stay here. */
  of(topicId: string, partition: number): readonly TailEntry[] {
    return this.#partitions.get(topicId)?.get(partition) ?? [];
  }

  /** Hands a partition's entries over; they are the partition's from then on. */
  take(topicId: string, partition: number): readonly TailEntry[] {
    const partitions = this.#partitions.get(topicId);
    const entries = this.of(topicId, partition);
    for (const { row } of entries) this.#bytes -= row.length;
    partitions?.delete(partition);
    if (partitions?.size === 0) this.#partitions.delete(topicId);
    return entries;
  }

  /** Takes these partitions of a topic out, into entries of their own. */
  takeTopic(topicId: string, partitions: readonly number[]): RecoveredEntries {
    const taken = new RecoveredEntries();
    for (const partition of partitions) {
      const entries = this.take(topicId, partition);
      if (entries.length > 0) taken.#entries(topicId, partition).push(...entries);
    }
    return taken;
  }

  /** Adds what another one holds; partitions are replaced. */
  absorb(other: RecoveredEntries): void {
    for (const [topicId, partitions] of other.#partitions) {
      for (const [partition, entries] of partitions) {
        const own = this.#entries(topicId, partition);
        own.length = 0;
        own.push(...entries);
      }
    }
  }

  /** Partitions of `topicId` that still wait. */
  partitionsOf(topicId: string): number[] {
    return [...this.#partitions.get(topicId)?.keys() ?? []];
  }

  /** All partitions that still wait. */
  *waiting(): Iterable<{ topicId: string; partition: number }> {
    for (const [topicId, partitions] of this.#partitions) {
      for (const partition of partitions.keys()) yield { topicId, partition };
    }
  }

  #entries(topicId: string, partition: number): TailEntry[] {
    let partitions = this.#partitions.get(topicId);
    if (partitions === undefined) this.#partitions.set(topicId, partitions = new Map());
    let entries = partitions.get(partition);
    if (entries === undefined) partitions.set(partition, entries = []);
    return entries;
  }

  #object(
    key: string,
    size: number,
    chainEpoch: number,
    slot: number,
    createdMs: number,
  ): WalObject {
    let object = this.#objects.get(key);
    if (object === undefined) {
      object = { key, size, chainEpoch, slot, createdMs, live: 0 };
      this.#objects.set(key, object);
    }
    object.size = Math.max(object.size, size);
    return object;
  }
}

function sortedUnique(entries: TailEntry[]): TailEntry[] {
  entries.sort((a, b) => a.row.baseOffset - b.row.baseOffset);
  return entries.filter((entry, index) =>
    index === 0 || entry.row.baseOffset !== entries[index - 1]!.row.baseOffset
  );
}
