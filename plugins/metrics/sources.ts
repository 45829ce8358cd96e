/**
 * What the metric table reads: the broker's view, and what has to be worked out from it over time.
 * Core's counters are read when somebody scrapes; once a second a handful of them is noted for
 * rates, and every 15 seconds what topics did.
 */
import process from "node:process";
import type { BrokerView, LogTotals, PluginStatus } from "../../core/plugin/mod.ts";
import { CostMeter, type Prices } from "./cost.ts";
import { LagSamples } from "./lag_samples.ts";
import { type Counters, Rates } from "./rates.ts";
import { TopicSeriesTable } from "./topic_series.ts";

const LOOK_MS = 1_000;
const TOPICS_EVERY = 15;
/** The window of `..._rps`, of the processor's share and of the cache's hit ratio. */
export const WINDOW_MS = 60_000;
/** A scrape waits this long for samples of lag; it goes on without the newest ones then. */
const LAG_WAIT_MS = 1_000;

export interface SourceOptions {
  readonly broker: BrokerView;
  readonly plugins: () => readonly PluginStatus[];
  readonly prices: Prices;
  readonly topicsMax: number;
  readonly groupsMax: number;
}

export class Sources {
  readonly broker: BrokerView;
  readonly rates = new Rates(WINDOW_MS);
  readonly topics: TopicSeriesTable;
  readonly lags: LagSamples;
  readonly cost: CostMeter;
  /** As of the last refresh. */
  logs: LogTotals;
  memory = Deno.memoryUsage();
  cpuSeconds = cpuSeconds();
  #looks = 0;
  #timer: ReturnType<typeof setInterval>;

  constructor(readonly options: SourceOptions) {
    const { broker, prices, topicsMax, groupsMax } = options;
    this.broker = broker;
    this.topics = new TopicSeriesTable(topicsMax);
    this.lags = new LagSamples(broker, groupsMax);
    this.cost = new CostMeter(prices);
    this.logs = broker.figures.logs();
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get plugins(): readonly PluginStatus[] {
    return this.options.plugins();
  }

  /** Brings what is worked out up to date, for a scrape. */
  async refresh(): Promise<void> {
    this.memory = Deno.memoryUsage();
    this.cpuSeconds = cpuSeconds();
    this.#lookAtTopics();
    const sampled = this.lags.refresh(performance.now());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LAG_WAIT_MS));
    await Promise.race([sampled, late]);
    clearTimeout(timer);
  }

  #look(): void {
    this.rates.look(performance.now(), counters(this.broker));
    if (this.#looks++ % TOPICS_EVERY === 0) this.#lookAtTopics();
  }

  #lookAtTopics(): void {
    const { figures, store } = this.broker;
    this.logs = figures.logs();
    const topics = this.topics.refresh(figures, this.logs.storedBytes);
    this.cost.add(performance.now(), {
      store: store.figures,
      walCalls: figures.walCalls,
      storedBytes: this.logs.segmentBytes + figures.now().walBytes,
      topics,
    });
    this.cost.trim((series) => this.topics.series.has(series));
  }
}

function counters({ figures }: BrokerView): Counters {
  const requests = (name: string) => figures.apis.find((api) => api.name === name)?.requests ?? 0;
  const { hits, misses } = figures.cache;
  return {
    produce: requests("Produce"),
    fetch: requests("Fetch"),
    cacheHits: hits,
    cacheReads: hits + misses,
    cpuSeconds: cpuSeconds(),
  };
}

/** Processor time of all threads, user and system. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
