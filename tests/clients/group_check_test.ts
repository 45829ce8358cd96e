import { assertEquals, assertThrows } from "@std/assert";
import { GroupCheck } from "./group_check.ts";
import { record } from "./records.ts";

const STORED = [0, 1, 2].map((number, o) => ({ ...record("0", `0 0 ${number} x`, { p: 0 }), o }));

function watched(...lines: string[]): GroupCheck {
  const check = new GroupCheck();
  for (const line of lines) {
    const [kind, ...words] = line.split(" ");
    check.take(kind!, words);
  }
  return check;
}

const WHOLE = ["S 0 0 0", "G 0 0 0 0 0 0", "G 0 0 1 0 0 1", "C 0 0 2", "G 0 0 2 0 0 2", "C 0 0 3"];

Deno.test("GroupCheck takes what is whole, and records that come again", () => {
  watched(...WHOLE).assertWhole(STORED);
  watched(...WHOLE.slice(0, 5), "S 1 0 2", "G 1 0 2 0 0 2", "C 1 0 3").assertWhole(STORED);
});

Deno.test("GroupCheck finds a commit that was forgotten", () => {
  assertEquals(watched(...WHOLE, "S 1 0 2").faults, [
    "member 1, partition 0: starts at 2 after 3 was committed",
  ]);
});

Deno.test("GroupCheck finds a skipped record", () => {
  assertEquals(watched(...WHOLE.slice(0, 2), "S 1 0 2").faults, [
    "member 1, partition 0: skipped 1",
  ]);
  const without = watched(...WHOLE.filter((line) => line !== "G 0 0 1 0 0 1"));
  assertThrows(() => without.assertWhole(STORED), Error, "seen at offset 1");
});

Deno.test("GroupCheck finds an offset with two values", () => {
  assertEquals(watched(...WHOLE, "S 1 0 3", "G 1 0 1 0 0 7").faults, [
    'member 1, partition 0: offset 1 was "0 0 1", and is "0 0 7"',
  ]);
});

Deno.test("GroupCheck finds that not all is committed", () => {
  const early = watched(...WHOLE.slice(0, 5));
  assertThrows(() => early.assertWhole(STORED), Error, "committed in partition 0");
});
