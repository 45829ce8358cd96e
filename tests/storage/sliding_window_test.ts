import { assertEquals } from "@std/assert";
import { SlidingWindow } from "../../core/storage/sliding_window.ts";
import { mulberry32 } from "../runtime/manual_runtime.ts";

Deno.test("SlidingWindow forgets what is older than the window, slice by slice", () => {
  const window = new SlidingWindow(20_000);
  window.add(0, 10, 10, "ok");
  window.add(10_000, 30, 20, "ok");
  window.add(10_000, 5, 5, "failed");
  window.add(10_000, 5, 5, "throttled");
  assertEquals([window.calls, window.failed, window.throttled, window.answered], [4, 1, 1, 2]);
  assertEquals([window.waitMs, window.tookMs], [15, 40]);
  window.moveTo(20_500);
  assertEquals([window.calls, window.answered, window.waitMs], [3, 1, 20]);
  window.moveTo(31_000);
  assertEquals([window.calls, window.failed, window.waitMs, window.tookMs], [0, 0, 0, 0]);
});

Deno.test("SlidingWindow agrees with a list of all calls", () => {
  const random = mulberry32(7);
  const window = new SlidingWindow(2_000);
  const all: { atMs: number; waitMs: number; failed: boolean }[] = [];
  let nowMs = 500;
  for (let step = 0; step < 3_000; step++) {
    nowMs += random() % (random() % 50 === 0 ? 5_000 : 40);
    const call = { atMs: nowMs, waitMs: random() % 100, failed: random() % 4 === 0 };
    all.push(call);
    window.add(nowMs, call.waitMs, call.waitMs, call.failed ? "failed" : "ok");
    // Slices of 100 ms: the newest 20.
    const from = (Math.floor(nowMs / 100) - 19) * 100;
    const seen = all.filter(({ atMs }) => atMs >= from);
    const good = seen.filter(({ failed }) => !failed);
    assertEquals([window.calls, window.failed], [seen.length, seen.length - good.length]);
    assertEquals(window.tookMs, good.reduce((sum, { waitMs }) => sum + waitMs, 0));
  }
});
