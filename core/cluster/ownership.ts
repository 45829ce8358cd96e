/**
 * What this incarnation leads. Follows the assignment records and makes them true: takes over what
 * it is the target of, releases what it isn't any more, and afterwards covers what it found in
 * other chains (docs/decisions/0008).
 *
 * | a partition's record | this broker is the target | it isn't |
 * |---|---|---|
 * | owner: this incarnation | leads | leads, releases, then: the target |
 * | owner: none | takes | – |
 * | owner: another, live | waits for its release | – |
 * | owner: another, gone | seals its chain, takes | – |
 *
 * Keeps I2 and I3: it serves a partition only after every chain that may hold entries of it is
 * sealed and a compare-and-set of its own has made it the owner. That write raises the leader epoch
 * each time, so one before it whose outcome wasn't known can take effect no more. What releases and
 * covers compares the leader epoch in which it began.
 *
 * Who releases makes the target's incarnation the owner in the same write, and so does the
 * controller where nobody led before: nothing lies in any chain then. A broker that finds itself
 * the owner so leads at once, unless it led or tried to in that leader epoch: a write of its own
 * may be on its way then.
 */
import type { AssignmentWriter } from "../metadata/assignment_writer.ts";
import {
  type AssignmentView,
  type ChainRef,
  changeAssignment,
  COORDINATORS,
  type PartitionAssignment,
  sameChain,
} from "../metadata/assignments.ts";
import type { RecoveredEntries } from "../log/recovered.ts";
import { inParallel } from "../runtime/in_parallel.ts";
import { Repeater } from "../runtime/repeater.ts";
import { Semaphore } from "../runtime/semaphore.ts";
import type { Holdings, PartitionRef } from "./holdings.ts";
import { Led } from "./led.ts";
import { distinctChains, isGone, readSealed, type TakeoverOptions } from "./takeover.ts";

/** Partitions that are released at the same time; their records share writes. */
const RELEASES_PARALLEL = 64;
/** Those of them that have records to rewrite: most of it while they are led on. */
const REWRITES_PARALLEL = 8;
/** Those of them that nobody leads for the moment: few, so that each moment is short. */
const HAND_OVERS_PARALLEL = 2;

export interface OwnershipOptions extends TakeoverOptions {
  readonly assignments: AssignmentView;
  readonly records: AssignmentWriter;
  readonly holdings: Holdings;
  readonly isLive: (chain: ChainRef) => boolean;
  /** The broker's incarnation that is registered. */
  readonly incarnation: (brokerId: number) => ChainRef | undefined;
  /** Whether the topic is known here; what isn't is taken when it is. */
  readonly exists: (topicId: string) => boolean;
  /** A record says that others have sealed this incarnation's chain: it is over. */
  readonly fenced: () => void;
}

interface Take {
  readonly topicId: string;
  readonly partition: number;
  readonly seen: PartitionAssignment;
  /** Chains to be sealed and read; they are its sources afterwards. */
  readonly chains: readonly ChainRef[];
}

export class Ownership {
  readonly #led = new Led();
  /** Led, with entries in other chains: `topic id/partition` → the leader epoch. */
  readonly #uncovered = new Map<string, number>();
  readonly #moves: Repeater;
  /** By itself, since it may take long, and who leads nothing yet must not wait for it. */
  readonly #releases: Repeater;
  readonly #rewrites = new Semaphore(REWRITES_PARALLEL);
  readonly #handOvers = new Semaphore(HAND_OVERS_PARALLEL);
  readonly #covering: Repeater;

  constructor(readonly options: OwnershipOptions) {
    const { runtime } = options;
    const later = (error: unknown) => {
      runtime.log.warn("leadership cannot be taken or given at the moment; trying again", {
        error,
      });
    };
    this.#moves = new Repeater(runtime, () => this.#move(), later);
    this.#releases = new Repeater(runtime, () => this.#releaseAll(), later);
    this.#covering = new Repeater(runtime, () => this.#cover(), (error) => {
      runtime.log.warn("what other chains hold is covered later", { error });
    });
  }

  /** Records, topics, or who is alive have changed. */
  poke(): void {
    this.#moves.poke();
    this.#releases.poke();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#moves.stop(), this.#releases.stop(), this.#covering.stop()]);
  }

  leads(topicId: string, partition: number): boolean {
    return this.#led.epoch(topicId, partition) >= 0;
  }

  /** -1 when it isn't led here. */
  leaderEpoch(topicId: string, partition: number): number {
    return this.#led.epoch(topicId, partition);
  }

  /** Whether others have taken over from this incarnation, which so can commit nothing any more. */
  get isOver(): boolean {
    const { assignments } = this.options;
    const taken = this.#led.all().some((led) =>
      assignments.partition(led.topicId, led.partition) !== undefined && this.#isOthers(led)
    );
    return taken || this.#isSealed();
  }

  async #move(): Promise<void> {
    this.#drop();
    if (this.#isSealed()) return this.options.fenced();
    this.#accept();
    await this.#takeAll();
    await this.#giveUp();
    if (this.#uncovered.size > 0) this.#covering.poke();
  }

  /**
   * Whoever took something over from this incarnation sealed its chain and named it a source. It
   * can commit nothing any more, and what lies in the chain is others' to read.
   */
  #isSealed(): boolean {
    const { assignments, self } = this.options;
    for (const { partitions } of assignments.all()) {
      if (partitions.some(({ sources }) => sources.some((chain) => sameChain(chain, self)))) {
        return true;
      }
    }
    return false;
  }

  /**
   * What another incarnation owns, or owned meanwhile, or what is gone, isn't led here any more,
   * whatever we think.
   */
  #drop(): void {
    const { assignments, exists } = this.options;
    for (const led of this.#led.all()) {
      if (this.#isOthers(led)) this.#lose(led.topicId, led.partition);
    }
    this.#led.forget((topicId) => !exists(topicId) && assignments.of(topicId) === undefined);
  }

  #isOthers({ topicId, partition, epoch }: PartitionRef & { readonly epoch: number }): boolean {
    const { assignments, self } = this.options;
    const record = assignments.partition(topicId, partition);
    if (record === undefined) return true;
    // The view may be behind our own compare-and-set.
    if (record.leaderEpoch < epoch) return false;
    return record.leaderEpoch > epoch || !sameChain(record.owner, self);
  }

  #lose(topicId: string, partition: number): void {
    if (!this.#led.lose(topicId, partition)) return;
    this.#uncovered.delete(`${topicId}/${partition}`);
    this.options.holdings.lost({ topicId, partition });
  }

  /** Leads what others made this incarnation's. */
  #accept(): void {
    const { assignments, self: me, exists, holdings } = this.options;
    for (const { topicId, partitions } of assignments.all()) {
      if (topicId !== COORDINATORS && !exists(topicId)) continue;
      const accepted: number[] = [];
      partitions.forEach(({ target, owner, sources, leaderEpoch }, partition) => {
        if (target !== me.brokerId || !sameChain(owner, me) || sources.length > 0) return;
        if (leaderEpoch <= this.#led.triedEpoch(topicId, partition)) return;
        this.#led.lead(topicId, partition, leaderEpoch);
        holdings.gained({ topicId, partition });
        accepted.push(partition);
      });
      this.#sayLed(topicId, accepted);
    }
  }

  #sayLed(topicId: string, partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    this.options.runtime.log.info("leads partitions", { topicId, partitions });
  }

  async #takeAll(): Promise<void> {
    const takes = await this.#withoutLiveOwners(this.#takes());
    if (takes.length === 0) return;
    const chains = distinctChains(takes.flatMap((take) => take.chains));
    const wanted = new Set(takes.map(({ topicId, partition }) => `${topicId}/${partition}`));
    const entries = await readSealed(
      this.options,
      chains,
      (topicId, partition) => wanted.has(`${topicId}/${partition}`),
    );
    const byTopic = Map.groupBy(takes, ({ topicId }) => topicId);
    await inParallel(
      byTopic.size,
      byTopic,
      ([topicId, ofTopic]) => this.#takeTopic(topicId, ofTopic, entries),
    );
  }

  #takes(): Take[] {
    const { assignments, self: me, isLive, exists } = this.options;
    const takes: Take[] = [];
    for (const { topicId, partitions } of assignments.all()) {
      if (topicId !== COORDINATORS && !exists(topicId)) continue;
      partitions.forEach((seen, partition) => {
        const { target, owner, sources } = seen;
        if (target !== me.brokerId || this.leads(topicId, partition)) return;
        const mine = sameChain(owner, me);
        if (owner !== undefined && !mine && isLive(owner)) return;
        const needed = owner === undefined || mine ? sources : [...sources, owner];
        const chains = distinctChains(needed);
        if (chains.some((chain) => sameChain(chain, me))) return;
        takes.push({ topicId, partition, seen, chains });
      });
    }
    return takes;
  }

  /** The views of records and of brokers follow apart: an owner may be newer than the second. */
  async #withoutLiveOwners(takes: readonly Take[]): Promise<readonly Take[]> {
    const { metadata, self } = this.options;
    const owners = takes.flatMap(({ seen }) => seen.owner ?? []);
    const live: ChainRef[] = [];
    for (const owner of distinctChains(owners)) {
      if (!sameChain(owner, self) && !await isGone(metadata, owner)) live.push(owner);
    }
    return takes.filter(({ seen }) => !live.some((owner) => sameChain(owner, seen.owner)));
  }

  /** The compare-and-set that makes this incarnation the owner, then the partitions themselves. */
  async #takeTopic(topicId: string, takes: readonly Take[], entries: RecoveredEntries) {
    const { records, self, holdings } = this.options;
    let taken: Take[] = [];
    const record = await records.change(topicId, (present) => {
      if (present === undefined) return undefined;
      const next = [...present];
      taken = takes.filter(({ partition, seen, chains }) => {
        const now = present[partition];
        if (now === undefined || !sameHolders(now, seen)) return false;
        this.#led.tries(topicId, partition, now.leaderEpoch + 1);
        next[partition] = {
          ...now,
          owner: self,
          sources: chains,
          leaderEpoch: now.leaderEpoch + 1,
        };
        return true;
      });
      return taken.length > 0 ? next : undefined;
    });
    const found = entries.takeTopic(topicId, taken.map(({ partition }) => partition));
    holdings.found(found);
    for (const { partition, chains } of taken) {
      const { leaderEpoch } = record![partition]!;
      this.#led.lead(topicId, partition, leaderEpoch);
      if (chains.length > 0) this.#uncovered.set(`${topicId}/${partition}`, leaderEpoch);
      holdings.gained({ topicId, partition });
    }
    this.#sayLed(topicId, taken.map(({ partition }) => partition));
  }

  /**
   * Owned, not led, and somebody else's to lead: a take-over or a release whose outcome wasn't
   * known. What it found in other chains is left to whoever comes next.
   */
  async #giveUp(): Promise<void> {
    const refs = this.#unwanted(({ topicId, partition }) => !this.leads(topicId, partition));
    for (const [topicId, ofTopic] of Map.groupBy(refs, (ref) => ref.topicId)) {
      await this.options.records.change(topicId, (present) => {
        let next = present;
        for (const { partition } of ofTopic) {
          const now = next?.[partition];
          if (now === undefined || !this.#shallLeave(now)) continue;
          next = next!.with(partition, { ...now, owner: undefined });
        }
        return next === present ? undefined : next;
      });
    }
  }

  async #releaseAll(): Promise<void> {
    const refs = this.#unwanted(({ topicId, partition }) => this.leads(topicId, partition));
    const failures: unknown[] = [];
    // To the end, whatever fails: one partition is never released twice at a time.
    await inParallel(
      RELEASES_PARALLEL,
      refs,
      (ref) => this.#release(ref).catch((error) => void failures.push(error)),
    );
    if (failures.length > 0) throw failures[0];
  }

  /** What this incarnation owns and another broker shall lead. */
  #unwanted(which: (ref: PartitionRef) => boolean): PartitionRef[] {
    const found: PartitionRef[] = [];
    for (const { topicId, partitions } of this.options.assignments.all()) {
      partitions.forEach((record, partition) => {
        const ref = { topicId, partition };
        if (this.#shallLeave(record) && which(ref)) found.push(ref);
      });
    }
    return found;
  }

  #shallLeave({ target, owner }: PartitionAssignment): boolean {
    const { self: me } = this.options;
    return target >= 0 && target !== me.brokerId && sameChain(owner, me);
  }

  async #release(ref: PartitionRef): Promise<void> {
    const epoch = this.leaderEpoch(ref.topicId, ref.partition);
    if (epoch < 0) return;
    const rewritten = await this.#rewrites.within(async () => {
      if (!await this.options.holdings.prepare(ref)) return false;
      await this.#handOvers.within(() => this.#handOver(ref, epoch));
      return true;
    });
    if (!rewritten) await this.#handOver(ref, epoch);
    this.#moves.poke();
  }

  /** What is between the last record here and the first one at the next owner. */
  async #handOver(ref: PartitionRef, epoch: number): Promise<void> {
    const { metadata, records, holdings, incarnation } = this.options;
    const { topicId, partition } = ref;
    const leaves = (record: PartitionAssignment | undefined) =>
      record !== undefined && record.leaderEpoch === epoch && this.#shallLeave(record);
    // Who cannot say that it has left leads on (I10).
    const present = await changeAssignment(metadata, topicId, () => undefined);
    if (!leaves(present?.[partition])) return;
    try {
      await holdings.handOver(ref);
    } catch (error) {
      holdings.resume(ref);
      throw error;
    }
    if (this.leaderEpoch(topicId, partition) !== epoch) return;
    this.#lose(topicId, partition);
    await records.change(topicId, (present) => {
      const now = present?.[partition];
      if (now === undefined || !leaves(now)) return undefined;
      const owner = incarnation(now.target);
      const leaderEpoch = owner === undefined ? epoch : epoch + 1;
      return present!.with(partition, { ...now, owner, leaderEpoch, sources: [] });
    });
  }

  /** Rewrites what lies in other chains, then takes them off the records' sources. */
  async #cover(): Promise<void> {
    const { records, self, holdings } = this.options;
    const refs = [...this.#uncovered].map(([key, epoch]) => {
      const cut = key.lastIndexOf("/");
      return { topicId: key.slice(0, cut), partition: Number(key.slice(cut + 1)), key, epoch };
    });
    for (const [topicId, ofTopic] of Map.groupBy(refs, (ref) => ref.topicId)) {
      const covered: typeof refs = [];
      for (const ref of ofTopic) {
        const still = () => this.leaderEpoch(topicId, ref.partition) === ref.epoch;
        if (still()) await holdings.cover(ref);
        if (still()) covered.push(ref);
      }
      await records.change(topicId, (present) => {
        if (present === undefined || covered.length === 0) return undefined;
        const next = [...present];
        for (const { partition, epoch } of covered) {
          const now = next[partition];
          if (sameChain(now?.owner, self) && now?.leaderEpoch === epoch) {
            next[partition] = { ...now, sources: [] };
          }
        }
        return next;
      });
      for (const { key, epoch } of ofTopic) {
        if (this.#uncovered.get(key) === epoch) this.#uncovered.delete(key);
      }
    }
  }
}

/** Whether owner and sources are what they were: what has to be sealed is the same. */
function sameHolders(a: PartitionAssignment, b: PartitionAssignment): boolean {
  return sameChain(a.owner, b.owner) && a.sources.length === b.sources.length &&
    a.sources.every((chain, at) => sameChain(chain, b.sources[at]!)) && a.target === b.target;
}
