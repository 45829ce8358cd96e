import { assert, assertEquals, assertMatch } from "@std/assert";
import { type HealthSettings, SideHealth } from "../../core/storage/health_side.ts";
import type { CallEnd } from "../../core/storage/store_figures.ts";

const SETTINGS: HealthSettings = {
  windowMs: 60_000,
  latencyWarnMs: 500,
  latencyCritMs: 3_000,
  errorRateWarn: 0.2,
  errorRateCrit: 0.6,
};

class Side {
  readonly health = new SideHealth(SETTINGS);
  nowMs = 0;

  get state() {
    return this.health.state;
  }

  /** `count` calls of `tookMs`, one every 100 ms. */
  calls(count: number, how: CallEnd = "ok", tookMs = 20, again = false): this {
    for (let at = 0; at < count; at++) {
      this.nowMs += 100;
      this.health.ended(this.nowMs, this.nowMs - tookMs, tookMs, 0, how, again);
      this.judge();
    }
    return this;
  }

  judge(oldestDueMs = Infinity): this {
    this.health.judge(this.nowMs, oldestDueMs);
    return this;
  }

  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  probe(good: boolean, times = 1): this {
    for (let at = 0; at < times; at++) {
      this.nowMs += 250;
      this.health.ended(this.nowMs, this.nowMs - 5, 5, 0, good ? "ok" : "retry", false);
      this.health.probed(this.nowMs, good);
    }
    return this;
  }

  lose(): this {
    this.calls(1, "retry").pass(3_100).judge();
    assertEquals(this.state, "unavailable");
    return this;
  }
}

Deno.test("SideHealth stays healthy over single failures, slow calls and aborts", () => {
  const side = new Side();
  for (let round = 0; round < 20; round++) {
    side.calls(18).calls(1, "retry").calls(1, "ok", 2_500).calls(3, "aborted", 9_000);
    assertEquals(side.state, "healthy", side.health.reason);
  }
});

Deno.test("SideHealth is degraded by the error rate, throttling included", () => {
  const side = new Side().calls(50).calls(12, "throttled");
  assertEquals(side.state, "healthy");
  side.calls(1, "throttled");
  assertEquals(side.state, "degraded");
  assertMatch(side.health.reason, /^13 of 63 calls failed or were throttled \(21 %/);
});

Deno.test("SideHealth is degraded, then unavailable, by the mean latency", () => {
  const side = new Side().calls(10, "ok", 600);
  assertEquals(side.state, "degraded");
  assertMatch(side.health.reason, /600 ms on average/);
  side.calls(100, "ok", 4_000);
  assertEquals(side.state, "unavailable");
});

Deno.test("SideHealth does not count what the bytes of a call may take", () => {
  const side = new Side();
  for (let at = 0; at < 50; at++) {
    side.nowMs += 100;
    side.health.ended(side.nowMs, side.nowMs - 1_200, 1_200, 1_000, "ok", false);
  }
  assertEquals(side.judge().state, "healthy");
});

Deno.test("SideHealth is unavailable by the error rate of first tries", () => {
  const side = new Side().calls(10);
  for (let at = 0; at < 14; at++) side.calls(1, "retry").calls(1, "throttled");
  assertEquals(side.state, "degraded", "throttling alone refuses nobody");
  for (let at = 0; at < 80 && side.state === "degraded"; at++) {
    side.calls(4, "retry").calls(1);
  }
  assertEquals(side.state, "unavailable");
  assertMatch(side.health.reason, /calls failed \(60 %/);
});

Deno.test("SideHealth counts a call that is tried often as one failure", () => {
  const side = new Side().calls(30).calls(4, "retry").calls(22, "retry", 5, true).calls(4, "ok");
  assertEquals(side.state, "healthy", side.health.reason);
});

Deno.test("SideHealth is unavailable when nothing is answered for latencyCritMs", () => {
  const side = new Side().calls(600);
  const startMs = side.nowMs;
  side.pass(2_900).judge(startMs);
  assertEquals(side.state, "healthy");
  assert(side.health.uneasy(side.nowMs, startMs));
  assert(side.health.wantsProbe(side.nowMs, startMs));
  side.pass(100).judge(startMs);
  assertEquals(side.state, "unavailable");
  assertMatch(side.health.reason, /no answer for 3\.0 s/);
});

Deno.test("SideHealth lets one call hang while others are answered", () => {
  const side = new Side().calls(10);
  const startMs = side.nowMs;
  for (let at = 0; at < 100; at++) side.calls(1).judge(startMs);
  assertEquals(side.state, "healthy");
});

Deno.test("SideHealth is unavailable by quick failures that last, not by a short outage", () => {
  const short = new Side().calls(30).calls(28, "retry", 5, true).calls(1);
  assertEquals(short.state, "healthy");
  const long = new Side().calls(30).calls(31, "retry", 5, true);
  assertEquals(long.state, "unavailable");
});

Deno.test("SideHealth takes throttling for back-pressure, for half a window", () => {
  const side = new Side().calls(30);
  side.calls(290, "throttled", 5, true);
  assertEquals(side.state, "healthy");
  side.calls(15, "throttled", 5, true);
  assertEquals(side.state, "unavailable");
  assertMatch(side.health.reason, /every call has failed for 30/);
});

Deno.test("SideHealth comes back by two good probes in a row, and forgets the outage", () => {
  const side = new Side().calls(30).lose();
  side.calls(5).probe(true).probe(false).probe(true);
  assertEquals(side.state, "unavailable", "calls and single probes do not count");
  const lostMs = side.nowMs - 20_000;
  side.probe(true);
  assertEquals(side.state, "degraded");
  // Calls that hung all the time come back now.
  for (let at = 0; at < 20; at++) {
    side.health.ended(side.nowMs, lostMs, 20_000, 0, at % 2 === 0 ? "ok" : "retry", false);
  }
  side.calls(10).judge();
  assertEquals(side.health.window.calls, 10);
  assertEquals(side.state, "degraded");
});

Deno.test("SideHealth is healthy again after a while of good calls, never by silence", () => {
  const side = new Side().calls(30).lose().probe(true, 2);
  side.pass(9_000).judge();
  assertEquals(side.state, "degraded");
  side.pass(60_000).judge();
  assertEquals(side.state, "degraded");
  assert(side.health.wantsProbe(side.nowMs, Infinity));
  side.calls(1);
  assertEquals(side.state, "healthy");
  assertEquals(side.health.reason, "");
});

Deno.test("SideHealth needs clearly less than the warning to be healthy again", () => {
  const side = new Side().calls(40).calls(10, "throttled").calls(1);
  assertEquals(side.state, "degraded");
  // 18 %: below the warning, not clearly below it.
  for (let at = 0; at < 150; at++) side.calls(9).calls(2, "throttled");
  assertEquals(side.state, "degraded");
  side.calls(800);
  assertEquals(side.state, "healthy");
});

Deno.test("SideHealth wants more good probes at each relapse, and at last two again", () => {
  const side = new Side().calls(30);
  for (const wanted of [2, 4, 8, 16, 16]) {
    side.lose().probe(true, wanted - 1);
    assertEquals(side.state, "unavailable", `${wanted} probes`);
    side.probe(true);
    assertEquals(side.state, "degraded", `${wanted} probes`);
  }
  side.pass(61_000).calls(150).lose().probe(true, 2);
  assertEquals(side.state, "degraded");
});
