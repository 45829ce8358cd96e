/** Exactly once, in order: what SteadyProducer.java was promised against what is stored. */
import { assert, assertEquals } from "@std/assert";
import { text, type WireRecord } from "./records.ts";

/**
 * Values begin with "producer partition number", `acknowledged` maps that to the offset named in
 * the acknowledgement (-1: none). Throws when a record is stored twice, after one with a higher
 * number of its producer and partition, or elsewhere than acknowledged; or when one is lost. What
 * was not acknowledged may be stored or not.
 */
export function assertDelivered(
  records: readonly WireRecord[],
  acknowledged: ReadonlyMap<string, number>,
): void {
  const at = new Map<string, number>();
  const last = new Map<string, number>();
  for (const { p, o, v } of records) {
    const [producer, partition, number] = (text(v) ?? "").split(" ", 3);
    const name = `${producer} ${partition} ${number}`;
    assertEquals(String(p), partition, `partition of ${name}`);
    assert(!at.has(name), `${name} is doubled: offsets ${at.get(name)} and ${o}`);
    at.set(name, o ?? -1);
    const stream = `${producer} ${partition}`;
    const before = last.get(stream) ?? -1;
    assert(Number(number) > before, `${name} comes after number ${before}`);
    last.set(stream, Number(number));
  }
  const lost = [...acknowledged.keys()].filter((name) => !at.has(name));
  assertEquals(lost.length, 0, `acknowledged, but lost: ${lost.slice(0, 5).join("; ")}`);
  const moved = [...acknowledged].filter(([name, offset]) =>
    offset >= 0 && at.get(name) !== offset
  );
  assertEquals(moved.length, 0, `acknowledged at another offset: ${moved.slice(0, 5).join("; ")}`);
}
