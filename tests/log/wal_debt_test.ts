import { assertEquals } from "@std/assert";
import { WAL_BYTES_HARD, WAL_OBJECTS_HARD } from "../../core/config/limits.ts";
import { WalDebt } from "../../core/log/wal_debt.ts";

const BURST_MS = 20_000;

function scene() {
  let nowMs = 1_000;
  const debt = new WalDebt({ monotonicMs: () => nowMs });
  const look = (bytes: number, quiet = false, objects = 0) =>
    debt.look({ bytes, objects, bytesMax: 100, objectsMax: 10 }, quiet);
  return { debt, look, pass: (ms: number) => void (nowMs += ms) };
}

Deno.test("WalDebt rests the less the more there is, and at times beside busy clients", () => {
  const { debt, look, pass } = scene();
  const rests = () =>
    [0, 100, 125, 150, 500].map((bytes) => {
      look(bytes);
      return [debt.restsPerWork(false), debt.restsPerWork(true)];
    });
  // While it may be a burst, rewriting that is under way yields to it.
  assertEquals(rests(), [[3, 3], [3, 3], [1.5, 3], [0, 3], [0, 3]]);
  pass(BURST_MS);
  assertEquals(rests(), [[3, 3], [3, 3], [1.5, 1.5], [0, 1], [0, 1]]);
});

Deno.test("WalDebt counts objects as it counts bytes, and the greater debt holds", () => {
  const { debt, look } = scene();
  look(50, false, 15);
  assertEquals([debt.over, debt.parallel, debt.restsPerWork(false)], [true, 2, 0]);
});

Deno.test("WalDebt has small tails rewritten as many at a time as the debt is, up to four", () => {
  const { debt, look } = scene();
  const parallel = [0, 149, 150, 249, 900].map((bytes) => {
    look(bytes);
    return debt.parallel;
  });
  assertEquals(parallel, [1, 1, 2, 3, 4]);
});

Deno.test("WalDebt lets a burst through, and presses when it goes on", () => {
  const { debt, look, pass } = scene();
  look(300);
  pass(BURST_MS - 1);
  look(301);
  assertEquals(debt.pressing, false);
  pass(1);
  assertEquals(debt.pressing, true);
});

Deno.test("WalDebt grants busy clients no second burst until they have been quiet", () => {
  const { debt, look, pass } = scene();
  look(300);
  pass(BURST_MS);
  look(50);
  assertEquals(debt.pressing, false);
  look(150);
  assertEquals(debt.pressing, true);
  look(150, true);
  assertEquals(debt.pressing, false);
  look(150);
  pass(BURST_MS - 1);
  look(151);
  assertEquals(debt.pressing, false);
  pass(1);
  assertEquals(debt.pressing, true);
});

Deno.test("WalDebt lets clients that only read through for twice as long", () => {
  const { debt, look, pass } = scene();
  look(300);
  pass(2 * BURST_MS - 1);
  look(300);
  assertEquals(debt.pressing, false, "nothing is written");
  look(301);
  assertEquals(debt.pressing, true, "something is written again");
  pass(2_000);
  assertEquals(debt.pressing, true, "and is over, but so is the time");
  look(200);
  assertEquals(debt.pressing, true, "rewriting goes on");
});

Deno.test("WalDebt presses at once, without a rest, above the hard limits", () => {
  for (const [bytes, objects] of [[WAL_BYTES_HARD + 1, 0], [0, WAL_OBJECTS_HARD + 1]] as const) {
    const { debt, look } = scene();
    look(bytes, false, objects);
    assertEquals([debt.pressing, debt.restsPerWork(true)], [true, 0]);
  }
});
