/**
 * Figures by topic with a bound on the series: topics get series of their own in the order in which
 * they were first used, up to the limit, and the others share one. What a topic did is added up
 * here as differences, so that a series never goes back, whichever topics come and go.
 */
import type { DirectoryCalls, Figures } from "../../core/plugin/mod.ts";

/** Stands for all topics without a series of their own; no topic can be called so. */
export const OTHERS = "(other)";

export interface TopicSeries {
  producedRecords: number;
  producedBytes: number;
  fetchedBytes: number;
  /** Bytes that the topic's objects hold now, of partitions that are loaded. */
  storedBytes: number;
  /** Requests to the store for the topic's own objects. */
  calls: DirectoryCalls;
}

/** What one topic did since it was looked at last. */
export interface TopicDelta {
  readonly series: string;
  readonly producedBytes: number;
  readonly fetchedBytes: number;
  readonly storedBytes: number;
  readonly calls: DirectoryCalls;
}

interface Known {
  readonly series: string;
  producedRecords: number;
  producedBytes: number;
  fetchedBytes: number;
  calls: DirectoryCalls;
}

export class TopicSeriesTable {
  readonly series = new Map<string, TopicSeries>();
  /** By topic id. */
  #known = new Map<string, Known>();
  #own = 0;

  constructor(readonly topicsMax: number) {}

  /** Adds what happened since the last call; returns it by topic. */
  refresh(figures: Figures, storedBytes: ReadonlyMap<string, number>): TopicDelta[] {
    for (const series of this.series.values()) series.storedBytes = 0;
    const before = this.#known;
    this.#known = new Map();
    const deltas: TopicDelta[] = [];
    for (const { topicId, name, traffic, calls } of figures.topics()) {
      const known = before.get(topicId) ?? this.#meet(name);
      before.delete(topicId);
      const series = this.#series(known.series);
      const stored = storedBytes.get(topicId) ?? 0;
      const made = difference(calls, known.calls);
      const delta = {
        series: known.series,
        producedBytes: traffic.producedBytes - known.producedBytes,
        fetchedBytes: traffic.fetchedBytes - known.fetchedBytes,
        storedBytes: stored,
        calls: made,
      };
      series.producedRecords += traffic.producedRecords - known.producedRecords;
      series.producedBytes += delta.producedBytes;
      series.fetchedBytes += delta.fetchedBytes;
      series.storedBytes += stored;
      add(series.calls, made);
      this.#known.set(topicId, { series: known.series, ...traffic, calls: { ...calls } });
      deltas.push(delta);
    }
    this.#forget(before.values());
    return deltas;
  }

  #meet(name: string): Known {
    const own = this.series.has(name) || this.#own < this.topicsMax;
    const calls = { puts: 0, gets: 0, lists: 0, deletes: 0 };
    const series = own ? name : OTHERS;
    return { series, producedRecords: 0, producedBytes: 0, fetchedBytes: 0, calls };
  }

  #series(name: string): TopicSeries {
    let series = this.series.get(name);
    if (series === undefined) {
      if (name !== OTHERS) this.#own++;
      const calls = { puts: 0, gets: 0, lists: 0, deletes: 0 };
      series = { producedRecords: 0, producedBytes: 0, fetchedBytes: 0, storedBytes: 0, calls };
      this.series.set(name, series);
    }
    return series;
  }

  /** Topics that are gone make room for others. */
  #forget(gone: Iterable<Known>): void {
    const kept = new Set(Array.from(this.#known.values(), ({ series }) => series));
    for (const { series } of gone) {
      if (series === OTHERS || kept.has(series)) continue;
      if (this.series.delete(series)) this.#own--;
    }
  }
}

function difference(now: DirectoryCalls, before: DirectoryCalls): DirectoryCalls {
  // a topic's directory may have been forgotten, and counts anew
  const grown = (name: keyof DirectoryCalls) => Math.max(0, now[name] - before[name]);
  return {
    puts: grown("puts"),
    gets: grown("gets"),
    lists: grown("lists"),
    deletes: grown("deletes"),
  };
}

function add(to: DirectoryCalls, from: DirectoryCalls): void {
  to.puts += from.puts;
  to.gets += from.gets;
  to.lists += from.lists;
  to.deletes += from.deletes;
}
