import { assertEquals, assertStringIncludes } from "@std/assert";
import { resolveConfig } from "../../core/config/mod.ts";
import type { Figure, Finding } from "../../core/storage/probe/mod.ts";
import { MEMORY_ADVICE } from "../../drivers/storage/memory/settings.ts";
import { figureLine, findingLines, judge } from "../../plugins/cli/probe_report.ts";

const resolved = resolveConfig({ env: {}, flags: {} });
if (!resolved.ok) throw new Error("the defaults are wrong");
const { config } = resolved;
const ADVICE = { ...MEMORY_ADVICE, flushIntervalMs: 250 };

const kept: Finding = {
  name: "create-once",
  promise: "A promise.",
  severity: "required",
  outcome: "kept",
  tookMs: 1,
};
const other: Finding = { ...kept, name: "ranges" };
const figure: Figure = {
  operation: "create",
  bytes: 1024,
  parallel: 1,
  requests: 300,
  failures: 0,
  p50Ms: 12.345,
  p99Ms: 40,
  maxMs: 100.06,
  bytesPerSecond: 3 << 20,
};

function verdict(...findings: Finding[]) {
  const { unfit, sentence } = judge(findings, [], config, ADVICE);
  return [unfit, sentence];
}

Deno.test("judge() goes by required promises, and names the others", () => {
  assertEquals(verdict(kept, other), [false, "The store can carry a log."]);
  assertEquals(verdict(kept, { ...other, severity: "advised", outcome: "broken" }), [
    false,
    "The store can carry a log, with weaknesses that it can live with: ranges.",
  ]);
  assertEquals(verdict(kept, { ...other, outcome: "not tested", detail: "not offered" }), [
    false,
    "The store can carry a log.",
  ]);
  const broken = { ...other, outcome: "broken", detail: "x" } as const;
  assertEquals(verdict(kept, broken, { ...broken, name: "list-order" }), [
    true,
    "The store cannot carry a log: it breaks ranges, list-order.",
  ]);
  assertEquals(verdict(kept, { ...broken, outcome: "not tested", failure: "throttled" }), [
    true,
    "Whether the store can carry a log could not be found out: ranges met too many faults; " +
    "try again when it answers.",
  ]);
  assertEquals(verdict({ ...kept, outcome: "broken", detail: "two winners" }), [
    true,
    "The store lacks working conditional writes (If-None-Match): two winners; " +
    "use one that has them.",
  ]);
});

Deno.test("judge() advises what the figures bear out, and nothing without them", () => {
  assertEquals(judge([kept], [], config, ADVICE).advice, []);
  const large = { ...figure, bytes: 4 << 20, parallel: 4, bytesPerSecond: 50 << 20, failures: 7 };
  const { advice } = judge([kept], [figure, large], config, ADVICE);
  assertEquals(advice, [
    "After a pause a record is acknowledged after 12 ms at best, and in one of a hundred cases " +
    "after 40 ms or more.",
    "With 4 uploads of 4 MiB at once this machine writes 50 MiB/s to it.",
    "Under steady load it is the flush interval of 250 ms that records wait for, not the store: " +
    "KAFSCALE_FLUSH_INTERVAL_MS=13 would cut that, for up to 77 writes a second (199 million a " +
    "month) in place of 4.0.",
    "7 of 607 measured requests were throttled or failed.",
  ]);
  const set = judge([kept], [figure, large], { ...config, flushIntervalMs: 20 }, ADVICE).advice;
  assertEquals(set.length, 3);
});

Deno.test("lines fit their columns", () => {
  assertEquals(findingLines(kept), ["kept        create-once       A promise."]);
  assertEquals(
    findingLines({ ...other, severity: "advised", outcome: "broken", detail: "why" }),
    ["broken*     ranges            A promise.", `${" ".repeat(30)}why`],
  );
  assertEquals(
    figureLine(figure),
    "create      1 KiB         1       300     12.3     40.0    100.1      3.0",
  );
  assertStringIncludes(figureLine({ ...figure, failures: 2 }), "(2 more were throttled or failed)");
});
