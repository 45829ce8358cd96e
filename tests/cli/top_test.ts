import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import type { GroupLag } from "../../plugins/cli/groups/lag.ts";
import { viewLines } from "../../plugins/cli/top/lines.ts";
import { Metrics, quantileBetween } from "../../plugins/cli/top/prometheus.ts";
import type { Sample } from "../../plugins/cli/top/sample.ts";
import { viewOf } from "../../plugins/cli/top/view.ts";
import { cleanEnv, cli, KAFSCALE, startBroker, withDirectory } from "./run_cli.ts";

Deno.test("Metrics reads Prometheus' text, of several brokers together", () => {
  const metrics = new Metrics([
    "# HELP a b\n# TYPE a counter\na 1\n" + 'b{x="1",y="q\\"\\\\,}"} 2 1700000000\nb{x="2"} 3\n',
    'a 4e1\nb{x="1"} 5\nc +Inf\nnonsense\n',
  ]);
  assertEquals(metrics.sum("a"), 41);
  assertEquals(metrics.sum("b", { x: "1" }), 7);
  assertEquals(metrics.sum("b", { y: 'q"\\,}' }), 2);
  assertEquals(metrics.by("b", "x"), new Map([["1", 7], ["2", 3]]));
  assertEquals([metrics.max("a"), metrics.max("c")], [40, Infinity]);
  assertEquals([metrics.sum("none"), metrics.sum("b", { x: "9" })], [undefined, undefined]);
});

/** A histogram with the counts of three buckets. */
function histogram(low: number, middle: number, all: number): Metrics {
  const line = (le: string, count: number) => `h_bucket{le="${le}"} ${count}`;
  return new Metrics([[line("0.1", low), line("1", middle), line("+Inf", all)].join("\n")]);
}

Deno.test("quantileBetween() looks at what came between two scrapes", () => {
  const before = histogram(100, 100, 100);
  const after = histogram(150, 190, 200);
  assertAlmostEquals(quantileBetween(before, after, "h", 0.25)!, 0.05);
  assertAlmostEquals(quantileBetween(before, after, "h", 0.7)!, 0.1 + 0.9 * 20 / 40);
  assertEquals(quantileBetween(before, after, "h", 0.99), 1);
  assertEquals(quantileBetween(after, after, "h", 0.5), undefined);
  assertEquals(quantileBetween(new Metrics([]), new Metrics([]), "h", 0.5), undefined);
});

function group(name: string, lag: number): GroupLag {
  return { group: name, state: "Stable", assignor: "", members: [], lag, partitions: [] };
}

function sample(atMs: number, ends: Record<string, number[]>, rest: Partial<Sample>): Sample {
  const topics = Object.entries(ends).map(([topic, offsets]) =>
    [topic, new Map(offsets.entries())] as const
  );
  return { atMs, brokers: 1, ends: new Map(topics), groups: [], metrics: undefined, ...rest };
}

const METRICS = (requests: number, producedBytes: number) =>
  new Metrics([
    `kafscale_requests_total{api="Produce"} ${requests}\n` +
    `kafscale_topic_produced_bytes_total{topic="b"} ${producedBytes}\n` +
    'kafscale_s3_health_state{state="healthy"} 1\nkafscale_s3_health_state{state="degraded"} 1\n' +
    'kafscale_cost_dollars_per_hour{kind="put"} 0.5\nkafscale_cost_dollars_per_hour{kind="in"} 1\n',
  ]);

Deno.test("viewOf() reckons rates from two samples, the busiest first", () => {
  const before = sample(1000, { a: [5], b: [10, 10] }, {
    groups: [group("slow", 10), group("fast", 90)],
    metrics: METRICS(100, 0),
  });
  const after = sample(3000, { a: [5], b: [20, 14], c: [7] }, {
    groups: [group("slow", 50), group("fast", 40)],
    metrics: METRICS(150, 4000),
  });
  const view = viewOf(before, after);
  assertEquals(view.topics.map(({ topic, recordsIn, bytesIn }) => [topic, recordsIn, bytesIn]), [
    ["b", 7, 2000],
    ["a", 0, null],
    ["c", 0, null],
  ]);
  assertEquals(view.groups.map(({ group, lag, lagChange }) => [group, lag, lagChange]), [
    ["slow", 50, 20],
    ["fast", 40, -25],
  ]);
  assertEquals([view.recordsIn, view.lag, view.requests, view.bytesIn], [7, 90, 25, 2000]);
  assertEquals([view.store.health, view.dollarsPerHour, view.bytesOut], ["degraded", 1.5, null]);
  const without = viewOf(sample(0, {}, {}), sample(0, {}, {}));
  assertEquals([without.requests, without.store.health, without.commitMs.p99], [null, null, null]);
});

Deno.test("viewLines() fits the height that there is", () => {
  const ends = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`topic-${at}`, [at]]));
  const groups = Array.from({ length: 50 }, (_, at) => group(`group-${at}`, at));
  const view = viewOf(sample(0, ends, { groups }), sample(1000, ends, { groups }));
  for (const height of [16, 24, 60]) {
    const lines = viewLines(view, { title: "title", height, styled: false });
    assert(lines.length <= height && lines.length >= height - 1, `${lines.length} of ${height}`);
    assert(lines.some((line) => line.startsWith("group-49 ")), lines.join("\n"));
    assert(lines.some((line) => line.startsWith("topic-0 ")), lines.join("\n"));
  }
  assertEquals(viewLines(view, { title: "t", height: 5, styled: false }).length, 5);
});

/** A server of metrics that grow with every scrape. */
function metricsServer() {
  let scrapes = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    scrapes++;
    return new Response(
      `kafscale_requests_total{api="Fetch"} ${scrapes * 1000}\n` +
        'kafscale_s3_health_state{state="healthy"} 1\n' +
        `kafscale_commit_duration_seconds_bucket{le="0.004"} ${scrapes}\n` +
        `kafscale_commit_duration_seconds_bucket{le="+Inf"} ${scrapes}\n`,
    );
  });
  return { url: `http://127.0.0.1:${server.addr.port}/metrics`, stop: () => server.shutdown() };
}

Deno.test("top shows topics, groups and metrics, in a pipe and on a terminal", () =>
  withDirectory(async (dir) => {
    const broker = await startBroker(dir, ["--group-initial-rebalance-delay-ms", "0"]);
    const metrics = metricsServer();
    const at = ["-b", broker.bootstrap, "--interval", "1"];
    await cli(["produce", "orders", ...at.slice(0, 2)], { stdin: "1\n2\n3\n" });
    await cli([
      ...["consume", "orders", "-g", "billing", "--from-beginning", "-n", "1"],
      ...at.slice(0, 2),
    ]);

    const plain = await cli(["top", ...at, "--metrics", "http://127.0.0.1:1/metrics"]);
    assertEquals(plain.code, 0, plain.stderr);
    assertStringIncludes(plain.stdout, `${broker.bootstrap}  1 broker, no metrics`);
    assert(/^orders +1 +0 +- +- +-$/m.test(plain.stdout), plain.stdout);
    assert(/^billing +Empty +0 +2 +0$/m.test(plain.stdout), plain.stdout);
    assert(!plain.stdout.includes("\x1b"), plain.stdout);

    const json = await cli(["top", ...at, "--metrics", metrics.url, "--json", "-n", "2"]);
    const views = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(views.length, 2);
    assertEquals([views[1].lag, views[1].store.health], [2, "healthy"]);
    assert(views[1].requests > 300 && views[1].requests < 1100, json.stdout);
    assert(views[1].commitMs.p99 > 3 && views[1].commitMs.p99 <= 4, json.stdout);

    const words = [...KAFSCALE, "top", ...at, "--metrics", metrics.url].map((each) => `'${each}'`);
    const terminal = new Deno.Command("script", {
      args: ["-qefc", `stty rows 30 cols 40; exec ${words.join(" ")}`, "/dev/null"],
      cwd: new URL("../../", import.meta.url),
      clearEnv: true,
      env: { ...cleanEnv(), NO_COLOR: "" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const keys = terminal.stdin.getWriter();
    let seen = "";
    for await (const chunk of terminal.stdout.pipeThrough(new TextDecoderStream())) {
      const pressed = seen.includes("GROUP (1)");
      seen += chunk;
      if (!pressed && seen.includes("GROUP (1)")) await keys.write(new TextEncoder().encode("q"));
    }
    await keys.close();
    assertEquals((await terminal.status).code, 0);
    assertStringIncludes(seen, "\x1b[?1049h");
    assert(seen.trimEnd().endsWith("\x1b[?1049l"), JSON.stringify(seen.slice(-60)));
    assertStringIncludes(seen, "\x1b[32mhealthy\x1b[39m");
    await metrics.stop();
    assertEquals(await broker.stop(), 0);
  }));

Deno.test("top ends with one sentence where no broker is", async () => {
  const { code, stderr } = await cli(["top", "-b", "127.0.0.1:1"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "kafscale top: cannot reach a broker at 127.0.0.1:1");
});
