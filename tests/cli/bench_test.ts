import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Latencies, percentile } from "../../plugins/cli/bench/latencies.ts";
import { cli, cliOnTerminal, startBroker, withDirectory } from "./run_cli.ts";

Deno.test("percentile() is the value that a share of all does not exceed", () => {
  const sorted = Float64Array.from({ length: 100 }, (_, at) => at + 1);
  assertEquals([0.5, 0.95, 0.99, 1].map((rank) => percentile(sorted, rank)), [50, 95, 99, 100]);
  assertEquals(percentile(Float64Array.of(7), 0.01), 7);
  assertEquals(percentile(new Float64Array(), 0.5), null);
  const latencies = new Latencies();
  for (const each of [3, 1, 2]) latencies.add(each);
  assertEquals(latencies.summary(), { p50: 2, p95: 3, p99: 3, max: 3 });
});

Deno.test("bench measures two brokers side by side and leaves no topic behind", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const at = ["-b", broker.bootstrap, "--seconds", "1", "--round-trips", "5", "-p", "2"];
    const two = await cli(["bench", ...at, "-z", "gzip", "--against", broker.bootstrap]);
    assertEquals(two.code, 0, two.stderr);
    const lines = two.stdout.trimEnd().split("\n");
    assert(/^ +127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+ +RATIO$/.test(lines[0]!), lines[0]);
    assertEquals(lines.length, 11);
    for (const line of lines.slice(1)) {
      assert(/^(produce|consume|round trip)[\w ,/]* +[\d,.]+ +[\d,.]+ +[\d,.]+$/.test(line), line);
    }

    const json = await cli(["bench", ...at, "--rate", "50", "--batch-bytes", "100", "--json"]);
    const [{ produce, consume, roundTripMs }] = JSON.parse(json.stdout);
    assert(produce.records > 10 && produce.records <= 51, json.stdout);
    // what warmed up before the clock ran is read back, too
    assertEquals(consume.records, produce.records + 2 * 5);
    assert(roundTripMs.p50 > 0 && roundTripMs.p50 <= roundTripMs.p99, json.stdout);
    assertEquals((await cli(["topics", "list", "-b", broker.bootstrap])).stdout, "");

    await cli(["bench", ...at, "--keep"]);
    const kept = (await cli(["topics", "list", "-b", broker.bootstrap])).stdout;
    assert(/^kafscale-bench-[0-9a-f]{8}-1\n$/.test(kept), kept);
    const away = await cli(["bench", ...at, "--against", "127.0.0.1:1"]);
    assertEquals(away.code, 1);
    assertStringIncludes(away.stderr, "cannot reach a broker at 127.0.0.1:1");
    assertEquals((await cli(["topics", "list", "-b", broker.bootstrap])).stdout, kept);
    assertEquals(await broker.stop(), 0);
  }));

Deno.test("bench and fsck show on a terminal how far they are, and take the bar away", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir);
    const args = ["--seconds", "1", "--round-trips", "5", "-p", "2", "-b", broker.bootstrap];
    // each drawing goes back to the line's start, and clears it
    const drawings = async (...args: string[]) =>
      (await cliOnTerminal(args)).split("\r\x1b[K").map((each) => each.trimEnd());
    const measured = await drawings("bench", "--keep", ...args);
    const bars = measured.map((each) =>
      /^(\w.*?) {2}\S+ {2}\[[█ ]{24}\] {2}\d+ % {2}(.*)$/.exec(each)
    );
    const notes = (phase: string) =>
      bars.filter((each) => each?.[1] === phase).map((each) => each![2]!);
    assert(notes("produce").some((note) => /^[\d.]+ \w+\/s$/.test(note)), measured.join("\n"));
    assert(notes("consume").length > 0, measured.join("\n"));
    assertStringIncludes(measured.at(-1)!, "produce latency p99, ms");
    assertEquals(await broker.stop(), 0);
    const checked = await drawings("fsck", "--data-dir", dir);
    const bar = /^fsck {2}\[[█ ]{24}\] {2}\d+ % {2}\d+ partitions, \d+ segments, \S+ \w*B$/;
    assert(checked.some((each) => bar.test(each)), checked.join("\n"));
    assertStringIncludes(checked.at(-1)!, "looked at 1 topics, 2 partitions");
  }));

Deno.test("bench refuses what it cannot do", async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await cli(["bench", ...args]);
    assertEquals(code, 2);
    return stderr;
  };
  assertEquals(await refused("--acks", "0"), "kafscale bench: --acks must be all or 1\n");
  assertStringIncludes(await refused("-z", "rar"), "--compression must be one of none, gzip");
  assertStringIncludes(await refused("--seconds", "0"), "--seconds must be a whole number");
});
