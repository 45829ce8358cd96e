/** The parts that metrics are worked out with. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { DirectoryCalls, Figures, LagView, StoreFigures } from "../../core/plugin/mod.ts";
import type { BrokerView, TopicFigures } from "../../core/plugin/mod.ts";
import { Histogram } from "../../core/runtime/mod.ts";
import { CallMeter } from "../../core/storage/store_figures.ts";
import { CostMeter, NO_PRICES, S3_PRICES } from "../../plugins/metrics/cost.ts";
import { LagSamples } from "../../plugins/metrics/lag_samples.ts";
import { Samples } from "../../plugins/metrics/metric.ts";
import { Rates } from "../../plugins/metrics/rates.ts";
import { OTHERS, TopicSeriesTable } from "../../plugins/metrics/topic_series.ts";

Deno.test("Samples.histogram() writes cumulative buckets in the metric's unit", () => {
  const histogram = new Histogram([0.5, 2, 10]);
  for (const value of [0.2, 1, 1, 20]) histogram.observe(value);
  const samples = new Samples("m");
  samples.histogram(histogram, { a: "b" }, 0.001);
  assertEquals(
    samples.all.map(({ metricName, labels, value }) => [metricName, labels.le ?? "", value]),
    [
      ["m_bucket", "0.0005", 1],
      ["m_bucket", "0.002", 3],
      ["m_bucket", "0.01", 3],
      ["m_bucket", "+Inf", 4],
      ["m_sum", "", 0.0222],
      ["m_count", "", 4],
    ],
  );
  assert(samples.all.every(({ labels }) => labels.a === "b"));
});

Deno.test("Rates are those of the window, and no older", () => {
  const rates = new Rates(10_000);
  assertEquals(rates.perSecond("n"), 0);
  rates.look(0, { n: 0 });
  assertEquals(rates.perSecond("n"), 0);
  for (let second = 1; second <= 20; second++) rates.look(second * 1_000, { n: second * 5 });
  assertEquals([rates.perSecond("n"), rates.grown("n")], [5, 50]);
  for (let second = 21; second <= 31; second++) rates.look(second * 1_000, { n: 100 });
  assertEquals(rates.perSecond("n"), 0);
});

interface Use {
  id: string;
  name: string;
  records: number;
  fetched?: number;
  calls?: Partial<DirectoryCalls>;
}

const calls = (of: Partial<DirectoryCalls> = {}): DirectoryCalls => ({
  puts: 0,
  gets: 0,
  lists: 0,
  deletes: 0,
  ...of,
});

function figuresOf(topics: readonly Use[]): Figures {
  const shown = topics.map(({ id, name, records, fetched = 0, calls: made }): TopicFigures => ({
    topicId: id,
    name,
    traffic: { producedRecords: records, producedBytes: records * 10, fetchedBytes: fetched },
    calls: calls(made),
  }));
  return { topics: () => shown } as unknown as Figures;
}

const records = (table: TopicSeriesTable) =>
  Object.fromEntries(
    Array.from(table.series, ([name, { producedRecords }]) => [name, producedRecords]),
  );

Deno.test("TopicSeriesTable gives series first come first served, and the rest shares one", () => {
  const table = new TopicSeriesTable(2);
  const refresh = (topics: Use[]) => table.refresh(figuresOf(topics), new Map());
  refresh([{ id: "1", name: "a", records: 1 }, { id: "2", name: "b", records: 2 }]);
  refresh([
    { id: "1", name: "a", records: 5 },
    { id: "2", name: "b", records: 2 },
    { id: "3", name: "c", records: 10 },
    { id: "4", name: "d", records: 20 },
  ]);
  assertEquals(records(table), { a: 5, b: 2, [OTHERS]: 30 });
  // one of the others is deleted: their sum stays; a named one is: its place is free
  refresh([{ id: "2", name: "b", records: 3 }, { id: "4", name: "d", records: 21 }]);
  assertEquals(records(table), { b: 3, [OTHERS]: 31 });
  refresh([
    { id: "2", name: "b", records: 3 },
    { id: "4", name: "d", records: 22 },
    { id: "5", name: "e", records: 4 },
  ]);
  assertEquals(records(table), { b: 3, e: 4, [OTHERS]: 32 });
});

Deno.test("TopicSeriesTable never lets a series go back when a topic is made anew", () => {
  const table = new TopicSeriesTable(5);
  const refresh = (topics: Use[]) => table.refresh(figuresOf(topics), new Map());
  refresh([{ id: "1", name: "a", records: 100 }]);
  refresh([{ id: "2", name: "a", records: 3 }]);
  assertEquals(records(table), { a: 103 });
});

Deno.test("TopicSeriesTable with no series of their own counts everything together", () => {
  const table = new TopicSeriesTable(0);
  const topics = [{ id: "1", name: "a", records: 1 }, { id: "2", name: "b", records: 2 }];
  const deltas = table.refresh(figuresOf(topics), new Map([["1", 7], ["2", 8]]));
  assertEquals(records(table), { [OTHERS]: 3 });
  assertEquals(table.series.get(OTHERS)!.storedBytes, 15);
  assertEquals(deltas.map(({ storedBytes }) => storedBytes), [7, 8]);
});

function storeOf(change: (figures: Record<keyof StoreFigures, CallMeter>) => void): StoreFigures {
  const figures = {
    putIfAbsent: new CallMeter(),
    put: new CallMeter(),
    get: new CallMeter(),
    list: new CallMeter(),
    delete: new CallMeter(),
  };
  change(figures);
  return figures;
}

const HOUR_MS = 3_600_000;

Deno.test("CostMeter reckons requests, storage and transfer at the prices", () => {
  const meter = new CostMeter({ ...S3_PRICES, in: 0.02, out: 0.09 });
  const nothing = storeOf(() => {});
  meter.add(0, { store: nothing, walCalls: calls(), storedBytes: 1e9, topics: [] });
  const store = storeOf((figures) => {
    figures.putIfAbsent.ok = 9_000;
    figures.putIfAbsent.retry = 500;
    figures.put.ok = 1_000;
    figures.get.ok = 50_000;
    figures.get.bytes = 2e9;
    figures.put.bytes = 1e9;
    figures.list.ok = 10;
    figures.list.keys = 2_500;
    figures.delete.ok = 100;
  });
  meter.add(HOUR_MS, { store, walCalls: calls(), storedBytes: 1e9, topics: [] });
  const cents = Object.entries(meter.kinds).map(([kind, dollars]) =>
    [kind, Number((dollars * 100).toFixed(4))] as const
  );
  assertEquals(Object.fromEntries(cents), {
    put: 5,
    get: 2,
    list: 0.006,
    delete: 0,
    storage: 0.0032,
    in: 2,
    out: 18,
  });
  assertAlmostEquals(meter.perHour("put"), 0.05, 1e-9);
  // 52 dollars a month for a commit each quarter of a second, as the design says
  const monthly = 4 * 3_600 * 730 * S3_PRICES.put / 1_000;
  assertAlmostEquals(monthly, 52, 1);
});

Deno.test("CostMeter gives topics their own requests and their share of the log's by bytes", () => {
  const meter = new CostMeter({ ...NO_PRICES, put: 1, get: 1 });
  const store = storeOf(() => {});
  meter.add(0, { store, walCalls: calls(), storedBytes: 0, topics: [] });
  const topic = (series: string, producedBytes: number, fetchedBytes: number, puts: number) => ({
    series,
    producedBytes,
    fetchedBytes,
    storedBytes: 0,
    calls: calls({ puts }),
  });
  const walCalls = calls({ puts: 100, gets: 10 });
  const topics = [topic("a", 300, 0, 5), topic("b", 100, 50, 0), topic("c", 0, 0, 1)];
  meter.add(60_000, { store, walCalls, storedBytes: 0, topics });
  assertEquals(Object.fromEntries(meter.topics), { a: 0.08, b: 0.035, c: 0.001 });
  assertAlmostEquals(meter.topicPerHour("a"), 0.08 * 60, 1e-9);
  meter.add(120_000, { store, walCalls, storedBytes: 0, topics: [] });
  assertAlmostEquals(meter.topicPerHour("a"), 0.08 * 30, 1e-9);
  meter.trim((series) => series !== "a");
  assertEquals([...meter.topics.keys()], ["b", "c"]);
});

/** A coordinator of groups whose lag is what `lags` says; undefined: not known. */
function groupsView(lags: () => Record<string, Record<string, number | null> | undefined>) {
  const asked: [string, number][] = [];
  const view: Partial<BrokerView> = {
    groups: () =>
      Object.keys(lags()).map((groupId) => ({ groupId }) as ReturnType<BrokerView["groups"]>[0]),
    lag: (groupId, loadsMax) => {
      asked.push([groupId, loadsMax]);
      const lag = lags()[groupId];
      if (lag === undefined) return Promise.resolve(undefined);
      const partitions = Object.entries(lag).map(([topic, behind]) => ({ topic, lag: behind }));
      return Promise.resolve({ partitions, loads: 1 } as unknown as LagView);
    },
  };
  return { view: view as BrokerView, asked };
}

Deno.test("LagSamples takes the largest lag, lag by topic, and their distribution", async () => {
  let lags: Record<string, Record<string, number | null> | undefined> = {
    a: { t: 5, u: 0 },
    b: { t: 2_000, x: null },
    c: undefined,
  };
  const { view, asked } = groupsView(() => lags);
  const samples = new LagSamples(view, 2);
  await samples.refresh(0);
  assertEquals(samples.lagMax, 2_000);
  assertEquals([...samples.chosen()].map(([group, { lagByTopic }]) => [group, ...lagByTopic]), [
    ["a", ["t", 5], ["u", 0]],
    ["b", ["t", 2_000]],
  ]);
  assertEquals([samples.distribution.count, samples.distribution.max], [3, 2_000]);
  assertEquals(asked, [["a", 100], ["b", 99], ["c", 98]]);
  await samples.refresh(9_999);
  assertEquals(asked.length, 3);
  lags = { a: { t: 1 } };
  await samples.refresh(10_000);
  assertEquals([samples.lagMax, samples.isChosen("b")], [1, false]);
});

Deno.test("LagSamples looks at 2,000 groups a round, and goes on behind them", async () => {
  const lags = Object.fromEntries(
    Array.from({ length: 3_000 }, (_, index) => [`g${index}`, { t: index }]),
  );
  const { view, asked } = groupsView(() => lags);
  const samples = new LagSamples(view, 10);
  await samples.refresh(0);
  assertEquals([asked.length, samples.lagMax], [2_000, 1_999]);
  await samples.refresh(10_000);
  assertEquals([asked.length, samples.lagMax], [4_000, 2_999]);
  assertEquals([...samples.chosen()].length, 10);
});
