/** The benches at their smoke size: they run, and every record arrives. No figure is looked at. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { haveTools } from "../clients/requirement.ts";
import { haveMinio } from "../services/minio.ts";
import { runBench } from "./run_bench.ts";

/** How bench/metrics_cost ends that has measured too little to judge. */
const OPEN = 1;

Deno.test("bench/load produces and reads back every record", async () => {
  for (const more of [[], ["--idempotent", "--batches-per-request", "2"]]) {
    const sizes = ["--requests", "40", "--batch-bytes", "16384", "--verify", "--json"];
    const { produce, fetch } = JSON.parse(
      await runBench("bench/load/main.ts", [...sizes, ...more]),
    );
    assertEquals(produce.records, 40 * Math.floor(16_384 / 1032) * (more.length === 0 ? 1 : 2));
    assertEquals(fetch.records, produce.records);
  }
});

Deno.test("bench/metrics_cost judges what metrics cost, and nothing by four pairs", async () => {
  const text = await runBench("bench/metrics_cost/main.ts", ["--pairs", "4"], OPEN);
  for (const load of ["produce, 15 KiB a request", "fetch, 15 KiB an answer"]) {
    assertMatch(text, new RegExp(`^${load} +4 of \\d+ .* open$`, "m"));
  }
  assertMatch(text, /^a scrape: [\d.]+ ms for \d{5,} bytes; the plugin by itself: [\d.]+ % /m);
  assertStringIncludes(text, "metrics cost under 2 %: open");
});

Deno.test("bench/partitions runs through two restarts", async () => {
  const text = await runBench("bench/partitions.ts", ["200", "2", "1"]);
  assertStringIncludes(text, "restart after kill -9: s");
});

Deno.test({
  name: "bench/store creates and reads back every object, each way",
  ignore: !await haveMinio("bench/store"),
  fn: async () => {
    const sizes = ["--mib", "0.1", "--count", "4", "--rounds", "1", "--json"];
    const ways = ["s3", "minio", "node:http", "fetch", "aws-sdk"];
    const out = JSON.parse(
      await runBench("bench/store/main.ts", [...sizes, "--ways", ways.join(",")]),
    );
    for (const way of ways) {
      assert(out[way].puts[0].mbPerSecond > 0, way);
      assert(out[way].gets[0].mbPerSecond > 0, way);
    }
  },
});

const clusters = haveTools("bench/cluster", "etcd") && await haveMinio("bench/cluster");

Deno.test({
  name: "bench/cluster takes over, hands over, and assigns all",
  ignore: !clusters,
  fn: async () => {
    // at once: both wait for leases most of the time
    const [failover, scale] = await Promise.all([
      runBench("bench/cluster/failover.ts", ["--smoke"]),
      runBench("bench/cluster/scale.ts", ["--smoke"]),
    ]);
    assertMatch(failover, /^producing to all of them again after \d+ ms: /m);
    assertMatch(failover, /^a drained partition took no records for \d+ ms \(median of \d+\), /m);
    assertMatch(scale, /^owners: \{"0":8,"1":8,"2":8\}$/m);
    assertMatch(scale, /taken over -?\d+ ms after the lease, \d+ ms from the first to the last$/m);
  },
});
