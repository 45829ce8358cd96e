import { assertEquals } from "@std/assert";
import { LeaderEpochs } from "../../core/log/leader_epochs.ts";

const epochs = () =>
  new LeaderEpochs([
    { leaderEpoch: 2, startOffset: 10 },
    { leaderEpoch: 5, startOffset: 20 },
    { leaderEpoch: 6, startOffset: 30 },
  ]);

Deno.test("endOffset() answers as OffsetForLeaderEpoch does", () => {
  const at = (epoch: number) => epochs().endOffset(epoch, 6, 44);
  assertEquals(at(6), { leaderEpoch: 6, endOffset: 44 });
  assertEquals(at(5), { leaderEpoch: 5, endOffset: 30 });
  assertEquals(at(4), { leaderEpoch: 2, endOffset: 20 });
  assertEquals(at(2), { leaderEpoch: 2, endOffset: 20 });
  assertEquals(at(1), { leaderEpoch: 1, endOffset: 10 });
  assertEquals(at(7), { leaderEpoch: -1, endOffset: -1 });
  assertEquals(at(-1), { leaderEpoch: -1, endOffset: -1 });
});

Deno.test("trim() keeps the epoch that the log start offset is in", () => {
  const kept = epochs();
  kept.trim(25);
  assertEquals(kept.below(Infinity).map((e) => e.leaderEpoch), [5, 6]);
});

Deno.test("epochOf() names the epoch that wrote an offset", () => {
  assertEquals([9, 10, 19, 20, 99].map((offset) => epochs().epochOf(offset)), [-1, 2, 2, 5, 6]);
});

Deno.test("note() ignores what is known", () => {
  const all = epochs();
  all.note(6, 40);
  all.note(7, 50);
  assertEquals(all.below(Infinity).length, 4);
});
