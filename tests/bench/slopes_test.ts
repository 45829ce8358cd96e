import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { slopeOf, trendOf } from "../../bench/endurance/slopes.ts";

const series = (count: number, value: (at: number) => number) =>
  Array.from({ length: count }, (_, at) => value(at));

Deno.test("slopeOf() is that of a line, whatever single samples do", () => {
  assertAlmostEquals(slopeOf(series(30, (at) => 5 + 2 * at)), 2);
  assertAlmostEquals(slopeOf(series(30, (at) => at === 20 ? 1e6 : 5 + 2 * at)), 2);
  assertEquals([slopeOf([]), slopeOf([7])], [0, 0]);
});

Deno.test("trendOf() tells growth from noise, warm-up and sawtooth", () => {
  const trend = (value: (at: number) => number, more: { floor?: number; peaksOf?: number } = {}) =>
    trendOf({ name: "x", values: series(120, value), floor: 0, ...more });
  const noise = (at: number) => (at * 7919) % 13 - 6;
  assert(trend((at) => 200 + noise(at)).flat);
  assert(trend((at) => Math.min(at, 55) * 8 + noise(at)).flat, "a warm-up is no growth");
  assert(!trend((at) => Math.min(at, 80) * 8 + noise(at)).flat, "the second half is judged");
  assert(!trend((at) => 200 + at / 4 + noise(at)).flat, "6 % in the second half");
  assert(trend((at) => 200 + at / 8 + noise(at)).flat, "3 % in the second half");
  assert(trend((at) => 200 + at / 2 + noise(at), { floor: 35 }).flat);
  assert(!trend((at) => 200 + at / 2 + noise(at), { floor: 25 }).flat);
  assert(trend((at) => 200 - at).flat, "shrinking is flat");
  assert(trend((at) => (at % 17) * 10, { peaksOf: 17 }).flat);
  assert(!trend((at) => (at % 17) * (10 + at / 10), { peaksOf: 17 }).flat);
  const { growth, median, tolerance } = trend((at) => 100 + at);
  assertAlmostEquals(growth, 59);
  assertAlmostEquals(tolerance, median * 0.05);
});

Deno.test("trendOf() says nothing of too few samples", () => {
  assertThrows(() => trendOf({ name: "x", values: [1, 2, 3, 4, 5, 6], floor: 0 }), Error, "few");
});
