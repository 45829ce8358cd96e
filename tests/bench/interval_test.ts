import { assertEquals } from "@std/assert";
import { medianInterval, verdict } from "../../bench/interval.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

Deno.test("medianInterval() takes the ranks of the sign test", () => {
  // by tables, such as those of the binomial distribution
  const ranks = [6, 10, 20, 48, 100].map((count) => medianInterval(upTo(count)));
  assertEquals(ranks.map(({ low, high }) => [low, high]), [[1, 6], [2, 9], [6, 15], [17, 32], [
    40,
    61,
  ]]);
  assertEquals(medianInterval([1.5, 0.5, 1, 2, 3, 99]).median, 1.75);
});

Deno.test("medianInterval() ends for thousands of values, as the normal distribution does", () => {
  const { low, high } = medianInterval(upTo(2_500));
  assertEquals([low, high], [1_201, 1_300]);
});

Deno.test("medianInterval() is sure of nothing below six values", () => {
  const { low, high } = medianInterval(upTo(5));
  assertEquals([low, high], [-Infinity, Infinity]);
});

Deno.test("verdict() is open while the limit lies within the interval", () => {
  const of = (low: number, high: number) => verdict({ median: 1, low, high }, 1.02);
  assertEquals([of(0.99, 1.01), of(1, 1.02), of(1.02, 1.1)], ["passed", "open", "failed"]);
});
