/** The metrics table as samples for gRPC streams: its sources run while somebody listens. */
import type { BrokerView, PluginStatus } from "../../core/plugin/mod.ts";
import { NO_PRICES } from "../metrics/cost.ts";
import { Samples } from "../metrics/metric.ts";
import { Sources } from "../metrics/sources.ts";
import { METRICS } from "../metrics/table/mod.ts";

export interface MetricsFeedOptions {
  readonly broker: BrokerView;
  readonly plugins: () => readonly PluginStatus[];
  readonly topicsMax: number;
  readonly groupsMax: number;
}

export class MetricsFeed {
  #sources: Sources | undefined;
  #listeners = 0;

  constructor(readonly options: MetricsFeedOptions) {}

  /** Somebody listens, until the function that it returns is called. */
  open(): () => void {
    this.#listeners++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      if (--this.#listeners === 0) this.stop();
    };
  }

  stop(): void {
    this.#sources?.stop();
    this.#sources = undefined;
  }

  /** Counters and gauges as of now; histograms are for scrapes. */
  async sample(): Promise<object> {
    const sources = this.#sources ??= new Sources({ ...this.options, prices: NO_PRICES });
    await sources.refresh();
    const values = { gauge: new Map<string, number>(), counter: new Map<string, number>() };
    for (const { name, type, read } of METRICS) {
      if (type === "histogram") continue;
      const samples = new Samples(name);
      read(sources, samples);
      for (const { labels, value } of samples.all) values[type].set(series(name, labels), value);
    }
    return {
      broker_id: String(this.options.broker.identity.brokerId),
      timestamp_ms: Date.now(),
      gauges: Object.fromEntries(values.gauge),
      counters: Object.fromEntries(values.counter),
    };
  }
}

/** `name{label="value"}`, as in Prometheus's own text. */
function series(name: string, labels: Readonly<Record<string, string | number>>): string {
  const each = Object.entries(labels).map(([label, value]) =>
    `${label}="${String(value).replaceAll(/[\\"\n]/g, escaped)}"`
  );
  return each.length === 0 ? name : `${name}{${each.join(",")}}`;
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
