import { assertEquals, assertRejects } from "@std/assert";
import { inParallel } from "../../core/runtime/in_parallel.ts";

Deno.test("inParallel() does each once, so many at a time", async () => {
  let under = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel(3, [0, 1, 2, 3, 4, 5, 6, 7], async (item) => {
    most = Math.max(most, ++under);
    await Promise.resolve();
    under--;
    done.push(item);
  });
  assertEquals([most, done.toSorted()], [3, [0, 1, 2, 3, 4, 5, 6, 7]]);
});

Deno.test("inParallel() begins nothing after a failure, and rejects with it", async () => {
  const begun: number[] = [];
  const failing = inParallel(2, [0, 1, 2, 3, 4, 5], async (item) => {
    begun.push(item);
    await Promise.resolve();
    if (item === 1) throw new Error("no");
  });
  await assertRejects(() => failing, Error, "no");
  assertEquals(begun.includes(5), false);
});
