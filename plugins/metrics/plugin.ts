/**
 * metrics: what the broker counts, as Prometheus reads it, at GET /metrics.
 * Invariant: nothing is collected on the way of a request; a scrape reads core's counters.
 * Upstream: runtime, config, protocol (names of error codes), plugin, prom-client.
 * May import: core/runtime, core/config, core/protocol, core/plugin, prom-client, zod.
 * @module
 */
import { type Metric as PromMetric, Registry } from "prom-client";
import { z } from "zod";
import type { Plugin } from "../../core/plugin/mod.ts";
import { COST_KINDS, NO_PRICES, type Prices, S3_PRICES } from "./cost.ts";
import { type Metric, Samples } from "./metric.ts";
import { Sources } from "./sources.ts";
import { METRICS } from "./table/mod.ts";

const settings = z.object({
  address: z.string(),
  topicsMax: z.int().min(0),
  groupsMax: z.int().min(0),
  /** Null: those of the driver. */
  prices: z.record(z.enum(COST_KINDS), z.number().min(0)).nullable(),
  /** Name of the storage driver. */
  storage: z.string(),
});

type Settings = z.infer<typeof settings>;

export const plugin: Plugin<Settings> = {
  name: "metrics",
  settings,
  start: async (broker, { address, topicsMax, groupsMax, prices, storage }, host) => {
    const sources = new Sources({
      broker,
      plugins: () => host.plugins(),
      prices: prices ?? listPrices(storage),
      topicsMax,
      groupsMax,
    });
    const registry = new Registry();
    for (const metric of METRICS) registry.registerMetric(pulled(metric, sources));
    const handle = async () => {
      await sources.refresh();
      const text = await registry.metrics();
      return new Response(text, { headers: { "content-type": registry.contentType } });
    };
    try {
      await host.serve(address, [{ method: "GET", path: "/metrics", handle }]);
    } catch (error) {
      sources.stop();
      throw error;
    }
    return { stop: () => Promise.resolve(sources.stop()) };
  },
};

function listPrices(storage: string): Prices {
  return storage === "s3" ? S3_PRICES : NO_PRICES;
}

/**
 * A metric as prom-client's registry asks for it: it names, escapes and writes, and the numbers
 * are core's. Its own classes hold numbers that somebody must keep up to date, histograms cannot
 * even be told theirs.
 */
function pulled(metric: Metric, sources: Sources): PromMetric<string> {
  const { name, type, help } = metric;
  const get = () => {
    const samples = new Samples(name);
    metric.read(sources, samples);
    return Promise.resolve({ name, help, type, values: samples.all, aggregator: "omit" });
  };
  return { name, help, type, get, reset: () => {} } as unknown as PromMetric<string>;
}
