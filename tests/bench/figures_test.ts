import { assertEquals } from "@std/assert";
import { figure, median, percentile, table } from "../../bench/figures.ts";

Deno.test("median() takes the middle, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertEquals(median([]), NaN);
});

Deno.test("percentile() is a value that was measured", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assertEquals([0.5, 0.99, 1].map((rank) => percentile(hundred, rank)), [50, 99, 100]);
  assertEquals(percentile([7], 0.01), 7);
});

Deno.test("figure() keeps three digits", () => {
  const texts = [1234.5, 99.94, 1.234, 0.0456, 0, NaN, undefined].map(figure);
  assertEquals(texts, ["1235", "99.9", "1.23", "0.046", "0.000", "–", "–"]);
});

Deno.test("table() aligns its columns", () => {
  assertEquals(table([["a", "1"], ["bcd", "22"]]), "a     1\nbcd  22");
});
