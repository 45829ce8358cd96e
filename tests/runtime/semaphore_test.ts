import { setImmediate } from "node:timers";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../core/runtime/assert.ts";
import { Semaphore } from "../../core/runtime/semaphore.ts";
import { seededUint32 } from "../bytes/seeded.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

Deno.test("Semaphore refuses a capacity that is not positive", () => {
  assertThrows(() => new Semaphore(0), InvariantError);
  assertThrows(() => new Semaphore(-1), InvariantError);
});

Deno.test("tryAcquire() takes all or nothing", () => {
  const semaphore = new Semaphore(10);
  assert(semaphore.tryAcquire(7));
  assert(!semaphore.tryAcquire(4));
  assertEquals(semaphore.used, 7);
  assert(semaphore.tryAcquire(3));
  assert(!semaphore.tryAcquire());
});

Deno.test("acquire() serves waiters in order, so that a large one does not starve", async () => {
  const semaphore = new Semaphore(4);
  await semaphore.acquire(3);
  const order: string[] = [];
  const large = semaphore.acquire(4).then(() => order.push("large"));
  const small = semaphore.acquire(1).then(() => order.push("small"));
  assert(!semaphore.tryAcquire(1), "nobody passes those who wait");
  await settle();
  assertEquals(order, []);
  assertEquals(semaphore.waiting, 2);
  semaphore.release(3);
  await large;
  await settle();
  assertEquals(order, ["large"]);
  semaphore.release(4);
  await small;
  assertEquals(order, ["large", "small"]);
  semaphore.release(1);
  assertEquals(semaphore.used, 0);
});

Deno.test("acquire() of more than the capacity takes the whole of it", async () => {
  const semaphore = new Semaphore(5);
  await semaphore.acquire(100);
  assertEquals(semaphore.used, 5);
  semaphore.release(100);
  assertEquals(semaphore.used, 0);
});

Deno.test("release() of more than was taken breaks the invariant", () => {
  const semaphore = new Semaphore(2);
  assertThrows(() => semaphore.release(1), InvariantError);
});

Deno.test("one release() may serve several waiters", async () => {
  const semaphore = new Semaphore(3);
  await semaphore.acquire(3);
  const three = Promise.all([semaphore.acquire(), semaphore.acquire(), semaphore.acquire()]);
  semaphore.release(3);
  await three;
  assertEquals([semaphore.used, semaphore.waiting], [3, 0]);
});

Deno.test("Semaphore never exceeds its capacity and serves all, for random loads", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const next = seededUint32(seed);
    const semaphore = new Semaphore(1 + next() % 20);
    let held = 0;
    let served = 0;
    const served20 = Array.from({ length: 20 }, async () => {
      const units = Math.min(1 + next() % 25, semaphore.capacity);
      await semaphore.acquire(units);
      held += units;
      assert(held <= semaphore.capacity);
      assertEquals(semaphore.used >= held, true);
      for (let turns = next() % 3; turns > 0; turns--) await settle();
      held -= units;
      semaphore.release(units);
      served++;
    });
    await Promise.all(served20);
    assertEquals([served, semaphore.used, semaphore.waiting], [20, 0, 0]);
  }
});
