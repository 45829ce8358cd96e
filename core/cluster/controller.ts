/**
 * The controller's work: targets for every partition and coordinator shard, by `assign`, written
 * where they differ. Every broker has one; only that of the broker that holds the controller's key
 * does anything, and two at once could only overwrite each other's targets by compare-and-set.
 */
import { COORDINATOR_SHARDS, OWNER_ABSENCE_MS } from "../config/limits.ts";
import type { AssignmentWriter } from "../metadata/assignment_writer.ts";
import {
  type AssignmentView,
  type ChainRef,
  COORDINATORS,
  deleteAssignment,
  type PartitionAssignment,
  sameChain,
  UNASSIGNED,
} from "../metadata/assignments.ts";
import { readAllChains } from "../metadata/brokers.ts";
import { topicKey, TOPICS_PREFIX } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { type TopicInfo, topicOf, TopicView } from "../metadata/topic_view.ts";
import { inParallel } from "../runtime/in_parallel.ts";
import { Repeater } from "../runtime/repeater.ts";
import type { Runtime, Timer } from "../runtime/runtime.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { assign, type AssignBroker, type AssignTopic } from "./assign.ts";
import type { Membership } from "./membership.ts";
import { isEmpty } from "./takeover.ts";

export interface ControllerOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly namespace: string;
  readonly signal: AbortSignal;
  readonly membership: Membership;
  readonly assignments: AssignmentView;
  readonly records: AssignmentWriter;
  readonly topics: () => Iterable<TopicInfo>;
}

/** Topics that are looked up at a time. */
const LOOKS_PARALLEL = 16;
const SHARDS: AssignTopic = { id: COORDINATORS, partitionCount: COORDINATOR_SHARDS };

export class Controller {
  readonly #work: Repeater;
  /** Owners that are not registered, and since when that is known here. */
  #absent: { readonly owner: ChainRef; readonly sinceMs: number }[] = [];
  #absence: Timer | undefined;

  constructor(readonly options: ControllerOptions) {
    const { runtime } = options;
    this.#work = new Repeater(runtime, () => this.#assign(), (error) => {
      runtime.log.warn("partitions cannot be assigned at the moment; trying again", { error });
    });
  }

  /** Topics, records or brokers have changed, or who controls. */
  poke(): void {
    if (this.options.membership.isController) this.#work.poke();
  }

  stop(): Promise<void> {
    this.#absence?.cancel();
    return this.#work.stop();
  }

  async #assign(): Promise<void> {
    const { membership, records, topics } = this.options;
    if (!membership.isController) return;
    const brokers = this.#brokers();
    const known = Array.from(topics());
    // With what was written here and is not in the view yet: else it would be moved at once.
    const previous = (topicId: string, at: number) => records.partitions(topicId)?.[at];
    // Apart, so that each is balanced by itself.
    const wanted = [[SHARDS], known].flatMap((group) => [...assign(previous, brokers, group)])
      .filter(([topicId, targets]) => differs(records.partitions(topicId), targets));
    const gone = await this.#goneAmong(
      known.filter(({ id }) => records.partitions(id) === undefined),
    );
    const changes = wanted.filter(([topicId]) => !gone.has(topicId));
    // The coordinators have no log that could lie anywhere.
    const isUnknown = (topicId: string) =>
      topicId !== COORDINATORS && records.partitions(topicId) === undefined;
    const dead = changes.some(([topicId]) => isUnknown(topicId)) ? await this.#deadChains() : [];
    await inParallel(
      changes.length,
      changes,
      ([topicId, targets]) => this.#write(topicId, targets, isUnknown(topicId) ? dead : []),
    );
    await this.#forgetTopics(new Set(known.map(({ id }) => id)));
  }

  /** Those that are registered, and owners that are missing only since a moment. */
  #brokers(): AssignBroker[] {
    const { membership, assignments, runtime } = this.options;
    const brokers: AssignBroker[] = membership.brokers()
      .filter(({ readOnly }) => !readOnly)
      .map(({ brokerId, rack, draining }) => ({ id: brokerId, rack, draining }));
    const nowMs = runtime.clock.monotonicMs();
    const owners = new Map<string, ChainRef>();
    for (const { partitions } of assignments.all()) {
      for (const { owner } of partitions) {
        if (owner === undefined || membership.isLive(owner)) continue;
        owners.set(`${owner.brokerId}/${owner.brokerEpoch}`, owner);
      }
    }
    this.#absent = Array.from(
      owners.values(),
      (owner) =>
        this.#absent.find((each) => sameChain(each.owner, owner)) ?? { owner, sinceMs: nowMs },
    );
    let soonestMs = Infinity;
    for (const { owner: { brokerId: id }, sinceMs } of this.#absent) {
      const leftMs = sinceMs + OWNER_ABSENCE_MS - nowMs;
      if (leftMs <= 0 || brokers.some((each) => each.id === id)) continue;
      brokers.push({ id, rack: null, draining: false });
      soonestMs = Math.min(soonestMs, leftMs);
    }
    this.#absence?.cancel();
    if (soonestMs < Infinity) {
      this.#absence = runtime.timers.after(soonestMs, () => this.poke());
    }
    return brokers;
  }

  /**
   * `sources`: of a topic that has no record yet. Where nobody led and nothing lies in a chain, the
   * target is made the owner at once.
   */
  async #write(
    topicId: string,
    targets: readonly number[],
    sources: readonly ChainRef[],
  ): Promise<void> {
    const { records, membership } = this.options;
    await records.change(topicId, (present) => {
      if (!differs(present, targets)) return undefined;
      const fresh = { ...UNASSIGNED, sources: present === undefined ? sources : [] };
      const next = targets.map((target, at): PartitionAssignment => {
        const partition = { ...present?.[at] ?? fresh, target };
        const { owner, sources, leaderEpoch } = partition;
        const taker = membership.incarnation(target);
        if (owner !== undefined || sources.length > 0 || taker === undefined) return partition;
        return { ...partition, owner: taker, leaderEpoch: leaderEpoch + 1 };
      });
      // The view of topics may be behind the record: what it doesn't know stays.
      return [...next, ...present?.slice(targets.length) ?? []];
    });
  }

  /**
   * Chains of incarnations that are gone. A topic without a record may have been led without one,
   * by a broker alone, and so have entries in any of them; reading a footer too many costs little.
   * A broker of the cluster that is about to register has written nothing yet, and is left alone.
   */
  async #deadChains(): Promise<ChainRef[]> {
    const { membership, metadata } = this.options;
    const dead: ChainRef[] = [];
    for (const { chains } of await readAllChains(metadata)) {
      for (const { brokerId, epoch, clustered } of chains) {
        const chain = { brokerId, brokerEpoch: epoch };
        if (membership.isLive(chain)) continue;
        if (clustered && await isEmpty(this.options, chain)) continue;
        dead.push(chain);
      }
    }
    return dead;
  }

  /**
   * Which of `topics`, that have no record, are deleted. The views of topics and of records follow
   * apart: else a deletion that only the second has seen would be answered with a new record.
   */
  async #goneAmong(topics: readonly TopicInfo[]): Promise<ReadonlySet<string>> {
    const gone = new Set<string>();
    await inParallel(LOOKS_PARALLEL, topics, async ({ id, name }) => {
      const entry = await this.options.metadata.get(topicKey(name));
      if (entry === undefined || topicOf(entry).id !== id) gone.add(id);
    });
    return gone;
  }

  /** Deletes the records of topics that are gone; the view may be behind, so metadata is asked. */
  async #forgetTopics(known: ReadonlySet<string>): Promise<void> {
    const { assignments, metadata } = this.options;
    const strange = [...assignments.all()].map(({ topicId }) => topicId)
      .filter((topicId) => topicId !== COORDINATORS && !known.has(topicId));
    if (strange.length === 0) return;
    const { entries, revision } = await metadata.list(TOPICS_PREFIX);
    const view = new TopicView();
    view.load(entries, revision);
    for (const topicId of strange) {
      if (view.byId(topicId) === undefined) await deleteAssignment(metadata, topicId);
    }
  }
}

function differs(
  present: readonly PartitionAssignment[] | undefined,
  targets: readonly number[],
): boolean {
  if (present === undefined || present.length < targets.length) return true;
  return targets.some((target, at) => present[at]!.target !== target);
}
