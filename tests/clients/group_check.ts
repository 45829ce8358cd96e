/** What a group saw of a topic against what is stored: nothing skipped, nothing undone. */
import { assert, assertEquals } from "@std/assert";
import { text, type WireRecord } from "./records.ts";

interface Partition {
  /** Names by offset; a record may come again after a rebalance, and must be the same. */
  readonly seen: Map<number, string>;
  /** The highest acknowledged commit. */
  committed: number;
}

export class GroupCheck {
  /** What should not have happened, one line each. */
  readonly faults: string[] = [];
  /** Times that a member began with a partition. */
  starts = 0;
  readonly #partitions = new Map<number, Partition>();

  /** One line of SteadyGroup.java. */
  take(kind: string, [member, partition, offset, ...name]: readonly string[]): void {
    const at = Number(offset);
    const of = this.#of(Number(partition));
    const where = `member ${member}, partition ${partition}`;
    if (kind === "S") {
      this.starts++;
      if (at < of.committed) {
        this.faults.push(`${where}: starts at ${at} after ${of.committed} was committed`);
      }
      for (let before = of.committed; before < at; before++) {
        if (!of.seen.has(before)) return void this.faults.push(`${where}: skipped ${before}`);
      }
    } else if (kind === "G") {
      const before = of.seen.get(at);
      const now = name.join(" ");
      if (before !== undefined && before !== now) {
        this.faults.push(`${where}: offset ${at} was "${before}", and is "${now}"`);
      }
      of.seen.set(at, now);
    } else if (kind === "C") of.committed = Math.max(of.committed, at);
  }

  get recordsSeen(): number {
    return [...this.#partitions.values()].reduce((sum, { seen }) => sum + seen.size, 0);
  }

  /** Every stored record was seen by a member at its offset, and all of it is committed. */
  assertWhole(records: readonly WireRecord[]): void {
    assertEquals(this.faults.slice(0, 3), [], `${this.faults.length} faults of the group`);
    const ends = new Map<number, number>();
    for (const { p, o, v } of records) {
      const name = (text(v) ?? "").split(" ", 3).join(" ");
      assertEquals(this.#of(p!).seen.get(o!), name, `seen at offset ${o} of partition ${p}`);
      ends.set(p!, Math.max(ends.get(p!) ?? 0, o! + 1));
    }
    for (const [partition, end] of ends) {
      assertEquals(this.#of(partition).committed, end, `committed in partition ${partition}`);
    }
    assert(this.starts > 0, "no member was ever assigned anything");
  }

  #of(partition: number): Partition {
    let found = this.#partitions.get(partition);
    if (found === undefined) {
      this.#partitions.set(partition, found = { seen: new Map(), committed: 0 });
    }
    return found;
  }
}
