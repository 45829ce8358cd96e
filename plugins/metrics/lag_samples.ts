/**
 * Consumer lag, sampled: some groups a time, so that the number of groups bounds neither the time
 * of a scrape nor the series. A partition or offset that is not in memory is loaded for it, a few a
 * time; until then its lag is not known, and not counted.
 */
import type { BrokerView } from "../../core/plugin/mod.ts";
import { Histogram } from "../../core/runtime/mod.ts";

const EVERY_MS = 10_000;
const GROUPS_PER_ROUND = 2_000;
const LOADS_PER_ROUND = 100;
/** Groups after which others get their turn. */
const GROUPS_PER_TURN = 100;
const BOUNDS = [0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

export interface GroupSample {
  /** Of the partition that is furthest behind. */
  readonly lagMax: number;
  /** Sum over the topic's partitions whose lag is known. */
  readonly lagByTopic: ReadonlyMap<string, number>;
}

export class LagSamples {
  /** Every partition of every group, each time that it is looked at. */
  readonly distribution = new Histogram(BOUNDS);
  /** By group, as of its last sample. */
  #groups = new Map<string, GroupSample>();
  /** Groups with series of their own. */
  #own = new Set<string>();
  #next = 0;
  #lastMs = -Infinity;
  #round: Promise<void> | undefined;

  constructor(readonly broker: BrokerView, readonly groupsMax: number) {}

  /** Of all groups; 0 while none is behind. */
  get lagMax(): number {
    let max = 0;
    for (const { lagMax } of this.#groups.values()) max = Math.max(max, lagMax);
    return max;
  }

  /** The groups with series of their own. */
  *chosen(): Iterable<[groupId: string, sample: GroupSample]> {
    for (const groupId of this.#own) {
      const sample = this.#groups.get(groupId);
      if (sample !== undefined) yield [groupId, sample];
    }
  }

  isChosen(groupId: string): boolean {
    return this.#own.has(groupId);
  }

  /** Takes the next samples, unless the last ones are fresh; calls share one round. */
  refresh(nowMs: number): Promise<void> {
    if (this.#round === undefined && nowMs - this.#lastMs >= EVERY_MS) {
      this.#lastMs = nowMs;
      this.#round = this.#sample().finally(() => this.#round = undefined);
    }
    return this.#round ?? Promise.resolve();
  }

  async #sample(): Promise<void> {
    const groupIds = this.broker.groups().map(({ groupId }) => groupId);
    this.#keep(new Set(groupIds));
    const count = Math.min(GROUPS_PER_ROUND, groupIds.length);
    let loads = LOADS_PER_ROUND;
    for (let index = 0; index < count; index++) {
      const groupId = groupIds[this.#next++ % groupIds.length]!;
      const found = await this.broker.lag(groupId, loads);
      if (index % GROUPS_PER_TURN === GROUPS_PER_TURN - 1) await turn();
      if (found === undefined) continue;
      loads -= found.loads;
      const lagByTopic = new Map<string, number>();
      let lagMax = 0;
      for (const { topic, lag } of found.partitions) {
        if (lag === null) continue;
        this.distribution.observe(lag);
        lagMax = Math.max(lagMax, lag);
        lagByTopic.set(topic, (lagByTopic.get(topic) ?? 0) + lag);
      }
      this.#groups.set(groupId, { lagMax, lagByTopic });
    }
  }

  #keep(present: ReadonlySet<string>): void {
    for (const groupId of this.#groups.keys()) {
      if (!present.has(groupId)) this.#groups.delete(groupId);
    }
    for (const groupId of this.#own) if (!present.has(groupId)) this.#own.delete(groupId);
    for (const groupId of present) {
      if (this.#own.size >= this.groupsMax) break;
      this.#own.add(groupId);
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
