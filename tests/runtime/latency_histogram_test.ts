import { assertEquals } from "@std/assert";
import { inTime, LATENCY_BOUNDS_MS, LatencyHistogram } from "../../core/runtime/mod.ts";
import { assertRejects } from "@std/assert";
import { manualRuntime } from "./manual_runtime.ts";

Deno.test("LatencyHistogram puts a latency into the bucket whose bound it does not exceed", () => {
  const histogram = new LatencyHistogram();
  for (const ms of [0.1, 0.5, 0.51, 5, 5.01, 100_000]) histogram.observe(ms);
  const filled = [...histogram.counts].flatMap((count, at) => count > 0 ? [[at, count]] : []);
  assertEquals(filled, [[0, 2], [1, 1], [3, 1], [4, 1], [LATENCY_BOUNDS_MS.length, 1]]);
  assertEquals(histogram.count, 6);
  assertEquals(histogram.max, 100_000);
});

Deno.test("LatencyHistogram.quantile() is a bound that holds, at most the maximum", () => {
  const histogram = new LatencyHistogram();
  assertEquals(histogram.quantile(0.99), 0);
  for (let at = 0; at < 98; at++) histogram.observe(3);
  histogram.observe(150);
  histogram.observe(150);
  assertEquals(histogram.quantile(0.5), 5);
  assertEquals(histogram.quantile(0.99), 150);
  histogram.observe(300_000);
  assertEquals(histogram.quantile(1), 300_000);
});

Deno.test("inTime() brings the result, or undefined once the time is up", async () => {
  const runtime = manualRuntime();
  assertEquals(await inTime(runtime.timers, 10, Promise.resolve("in time")), "in time");
  assertEquals(runtime.pendingTimers, 0);
  await assertRejects(
    () => inTime(runtime.timers, 10, Promise.reject(new Error("no"))),
    Error,
    "no",
  );
  const late = Promise.withResolvers<string>();
  const waiting = inTime(runtime.timers, 10, late.promise);
  await runtime.advance(10);
  assertEquals(await waiting, undefined);
  late.reject(new Error("nobody hears of it"));
  await runtime.settle();
});
