import type { WalObject } from "../storage/wal/commit.ts";
import type { BatchRow } from "../storage/wal/format.ts";

/** A committed batch that is still read from the WAL. */
export interface TailEntry {
  readonly row: BatchRow;
  readonly object: WalObject;
  /** The adoption record that vouches for it, where the object belongs to an earlier chain. */
  readonly adoption: WalObject | undefined;
}

/** Inclusive. */
export function lastOffset(row: BatchRow): number {
  return row.baseOffset + row.lastOffsetDelta;
}

/**
 * The committed batches of one partition that no segment holds yet, in offset order. Counts each
 * entry as `live` in its WAL object until it is dropped, which is what makes WAL objects deletable.
 */
export class Tail {
  #entries: TailEntry[] = [];
  #bytes = 0;

  get length(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get first(): TailEntry | undefined {
    return this.#entries[0];
  }

  get entries(): readonly TailEntry[] {
    return this.#entries;
  }

  push(entry: TailEntry): void {
    this.#entries.push(entry);
    this.#bytes += entry.row.length;
  }

  /** Index of the entry that holds `offset`, or of the first one behind it. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lastOffset(this.#entries[middle]!.row) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops the entries that lie wholly below `offset`; their objects lose a live row each. */
  dropBelow(offset: number): number {
    const count = this.indexOf(offset);
    for (let index = 0; index < count; index++) {
      const { row, object, adoption } = this.#entries[index]!;
      this.#bytes -= row.length;
      object.live--;
      if (adoption !== undefined) adoption.live--;
    }
    if (count > 0) this.#entries.splice(0, count);
    return count;
  }

  /** Drops everything. */
  clear(): void {
    this.dropBelow(Infinity);
  }
}
