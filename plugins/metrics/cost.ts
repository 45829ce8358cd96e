/**
 * What the object store would bill, as far as a broker can know: its own requests and bytes at the
 * prices of the settings. Requests for a topic's own objects are the topic's; those for the
 * write-ahead log, which all topics share, are shared out by bytes produced (writes) and fetched
 * (reads). What nobody caused (an idle log's clean-up) stays unallocated, so the topics' sum may be
 * a little less than the whole.
 */
import type { DirectoryCalls, StoreFigures } from "../../core/plugin/mod.ts";
import type { TopicDelta } from "./topic_series.ts";

export const COST_KINDS = ["put", "get", "list", "delete", "storage", "in", "out"] as const;
export type CostKind = (typeof COST_KINDS)[number];

/**
 * Dollars: for 1,000 requests (put, get, list, delete), for a GB and month (storage), for a GB
 * (in, out).
 */
export type Prices = Readonly<Record<CostKind, number>>;

/** List prices of Amazon S3 Standard in us-east-1, within a region. */
export const S3_PRICES: Prices = {
  put: 0.005,
  get: 0.0004,
  list: 0.005,
  delete: 0,
  storage: 0.023,
  in: 0,
  out: 0,
};

export const NO_PRICES: Prices = {
  put: 0,
  get: 0,
  list: 0,
  delete: 0,
  storage: 0,
  in: 0,
  out: 0,
};

const GB = 1e9;
const HOUR_MS = 3_600_000;
const HOURS_PER_MONTH = 730;
/** Costs per hour are those of the last five minutes. */
const WINDOW_MS = 300_000;
const LOOK_EVERY_MS = 15_000;
const KEYS_PER_LIST_REQUEST = 1_000;

type ByKind = Record<CostKind, number>;

interface Look {
  readonly atMs: number;
  readonly kinds: ByKind;
  readonly topics: ReadonlyMap<string, number>;
}

/** What the meter looks at; counters only grow, but for `storedBytes`. */
export interface Consumption {
  readonly store: StoreFigures;
  readonly walCalls: DirectoryCalls;
  /** Bytes of all objects that the broker knows of. */
  readonly storedBytes: number;
  readonly topics: readonly TopicDelta[];
}

export class CostMeter {
  /** Dollars since the start. */
  readonly kinds: ByKind = { ...NO_PRICES };
  /** Dollars since the start, by topic series. */
  readonly topics = new Map<string, number>();
  #looks: Look[] = [];
  #lastMs: number | undefined;
  #billed: ByKind = { ...NO_PRICES };
  #wal: DirectoryCalls = { puts: 0, gets: 0, lists: 0, deletes: 0 };

  constructor(readonly prices: Prices) {}

  /** Adds what was consumed since the last call. */
  add(nowMs: number, of: Consumption): void {
    const hours = (nowMs - (this.#lastMs ?? nowMs)) / HOUR_MS;
    const billed = billedBy(of.store);
    for (const kind of COST_KINDS) {
      this.kinds[kind] += (billed[kind] - this.#billed[kind]) * this.#unit(kind);
    }
    this.kinds.storage += of.storedBytes * hours * this.#byteHour;
    this.#share(of, hours);
    this.#billed = billed;
    this.#wal = { ...of.walCalls };
    this.#lastMs = nowMs;
    this.#look(nowMs);
  }

  /** Dollars an hour over the last five minutes, or since the start. */
  perHour(kind: CostKind): number {
    return this.#rate(this.kinds[kind], (look) => look.kinds[kind]);
  }

  topicPerHour(series: string): number {
    return this.#rate(this.topics.get(series) ?? 0, (look) => look.topics.get(series) ?? 0);
  }

  /** Forgets the series that `keep` refuses. */
  trim(keep: (series: string) => boolean): void {
    for (const series of this.topics.keys()) if (!keep(series)) this.topics.delete(series);
  }

  #share({ topics, walCalls }: Consumption, hours: number): void {
    const produced = sum(topics, ({ producedBytes }) => producedBytes);
    const fetched = sum(topics, ({ fetchedBytes }) => fetchedBytes);
    const walPuts = walCalls.puts - this.#wal.puts;
    const walGets = walCalls.gets - this.#wal.gets;
    for (const { series, producedBytes, fetchedBytes, storedBytes, calls } of topics) {
      const puts = calls.puts + (produced === 0 ? 0 : walPuts * producedBytes / produced);
      const gets = calls.gets + (fetched === 0 ? 0 : walGets * fetchedBytes / fetched);
      const dollars = puts * this.#unit("put") + gets * this.#unit("get") +
        calls.lists * this.#unit("list") + calls.deletes * this.#unit("delete") +
        producedBytes * this.#unit("in") + fetchedBytes * this.#unit("out") +
        storedBytes * hours * this.#byteHour;
      this.topics.set(series, (this.topics.get(series) ?? 0) + dollars);
    }
  }

  /** Dollars for one request, or one byte transferred; storage is reckoned by time. */
  #unit(kind: CostKind): number {
    if (kind === "storage") return 0;
    return this.prices[kind] / (kind === "in" || kind === "out" ? GB : 1_000);
  }

  get #byteHour(): number {
    return this.prices.storage / GB / HOURS_PER_MONTH;
  }

  #look(nowMs: number): void {
    const last = this.#looks.at(-1);
    if (last !== undefined && nowMs - last.atMs < LOOK_EVERY_MS) return;
    this.#looks.push({ atMs: nowMs, kinds: { ...this.kinds }, topics: new Map(this.topics) });
    while (this.#looks.length > 2 && nowMs - this.#looks[1]!.atMs >= WINDOW_MS) {
      this.#looks.shift();
    }
  }

  #rate(now: number, then: (look: Look) => number): number {
    const first = this.#looks[0];
    const forMs = (this.#lastMs ?? 0) - (first?.atMs ?? 0);
    if (first === undefined || forMs <= 0) return 0;
    return Math.max(0, now - then(first)) * HOUR_MS / forMs;
  }
}

/** Requests and bytes that count: answered ones; refusals for the store's own reasons are free. */
function billedBy(store: StoreFigures): ByKind {
  const { putIfAbsent, put, get, list, delete: deleted } = store;
  return {
    put: putIfAbsent.ok + put.ok,
    get: get.ok,
    list: list.ok + Math.floor(list.keys / KEYS_PER_LIST_REQUEST),
    delete: deleted.ok,
    storage: 0,
    in: putIfAbsent.bytes + put.bytes,
    out: get.bytes,
  };
}

function sum(topics: readonly TopicDelta[], of: (topic: TopicDelta) => number): number {
  return topics.reduce((total, topic) => total + of(topic), 0);
}
