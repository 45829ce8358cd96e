import { assertEquals, assertThrows } from "@std/assert";
import { Histogram, LoopDelay } from "../../core/runtime/mod.ts";
import { manualRuntime } from "./manual_runtime.ts";

Deno.test("Histogram counts a value in the first bucket whose bound it does not exceed", () => {
  const histogram = new Histogram([1, 10]);
  for (const value of [0, 1, 1.5, 10, 11, 1000]) histogram.observe(value);
  assertEquals([...histogram.counts], [2, 2, 2]);
  assertEquals([histogram.count, histogram.sum, histogram.max], [6, 1023.5, 1000]);
});

Deno.test("Histogram refuses bounds that do not ascend", () => {
  assertThrows(() => new Histogram([1, 1]));
});

Deno.test("LoopDelay sees how late the event loop is, and ends with stop()", async () => {
  const runtime = manualRuntime();
  const heard: number[] = [];
  // a busy thread: timers that are due run 30 ms late
  let lateMs = 0;
  const late = {
    ...runtime,
    timers: {
      ...runtime.timers,
      after: (delayMs: number, run: () => void) => runtime.timers.after(delayMs + lateMs, run),
    },
  };
  const meter = new LoopDelay(late, (delayMs) => heard.push(delayMs));
  lateMs = 30;
  await runtime.advance(260);
  assertEquals(heard, [0, 30]);
  assertEquals([meter.delayMs.count, meter.delayMs.max], [2, 30]);
  meter.stop();
  assertEquals(runtime.pendingTimers, 0);
});
