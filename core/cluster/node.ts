/**
 * One broker of a cluster: registration, the view of the others, leadership that comes and goes,
 * and the controller's work when it falls to this one. Puts the parts of this room together.
 */
import type { FollowContext } from "../log/followed_log.ts";
import type { BrokerInfo, ClusterView } from "../handlers/rooms.ts";
import { FOLLOW_PACE_MIN_MS } from "../config/limits.ts";
import { AssignmentWriter } from "../metadata/assignment_writer.ts";
import { AssignmentView, type ChainRef, sameChain } from "../metadata/assignments.ts";
import { Follower } from "../metadata/follower.ts";
import { ASSIGNMENTS_PREFIX } from "../metadata/keys.ts";
import { MetadataError, type MetadataStore } from "../metadata/metadata_store.ts";
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { ChainReaper } from "./chain_reaper.ts";
import { clusterView } from "./cluster_view.ts";
import { Controller } from "./controller.ts";
import { FollowedLogs } from "./followed_logs.ts";
import { Membership } from "./membership.ts";
import type { Holdings } from "./holdings.ts";
import { Ownership } from "./ownership.ts";
import { Preferences } from "./preferences.ts";

const DRAIN_LOOK_MS = 20;

/** I3: what this incarnation led is others' now. */
export class FencedError extends Error {
  override name = "FencedError";
  override message = "another broker has taken over from this one, or has its id";
}

export interface ClusterNodeOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly topics: TopicRegistry;
  readonly namespace: string;
  readonly self: ChainRef;
  /** The advertised address; known once it listens. */
  readonly address: () => BrokerInfo;
  /** Leads nothing, and serves readers of its rack. */
  readonly readOnly?: boolean;
  readonly leaseMs: number;
  readonly orphanSweepMs: number;
  /** Others have taken over from this incarnation, or a newer process has its id. */
  readonly fenced: () => void;
  readonly signal: AbortSignal;
}

export class ClusterNode {
  readonly assignments = new AssignmentView();
  readonly #records: AssignmentWriter;
  #membership: Membership | undefined;
  #ownership: Ownership | undefined;
  #controller: Controller | undefined;
  #reaper: ChainReaper | undefined;
  #followed: FollowedLogs | undefined;
  readonly #follower: Follower;
  /**
   * Brokers and records are both known. Before, everybody would seem to be dead or to lead nothing,
   * and a broker that only starts would take over from those that are at work.
   */
  #ready = false;
  readonly #listeners = new Set<() => void>();

  constructor(readonly options: ClusterNodeOptions) {
    const { runtime, metadata } = options;
    this.#records = new AssignmentWriter(metadata, this.assignments);
    this.#follower = new Follower({
      runtime,
      store: metadata,
      prefix: ASSIGNMENTS_PREFIX,
      what: "assignments",
      load: (entries) => {
        this.assignments.load(entries);
        this.#changed();
      },
      apply: (events) => {
        this.assignments.apply(events);
        this.#changed();
      },
    });
  }

  leads(topicId: string, partition: number): boolean {
    return this.#ownership?.leads(topicId, partition) ?? false;
  }

  get followed(): FollowedLogs | undefined {
    return this.#followed;
  }

  leaderEpoch(topicId: string, partition: number): number {
    return this.#ownership?.leaderEpoch(topicId, partition) ?? -1;
  }

  /**
   * Partitions and coordinator shards that are led here, or about to be, or were and have not been
   * let go for certain, as records say: what is led was taken by a record, and is dropped before a
   * record says that it is let go.
   */
  get leadCount(): number {
    const { self: me } = this.options;
    let count = 0;
    for (const { partitions } of this.assignments.all()) {
      for (const { target, owner } of partitions) {
        if (target === me.brokerId || sameChain(owner, me)) count++;
      }
    }
    return count;
  }

  /** Serves reads of partitions that others lead, if it has a rack, once it has started. */
  follow(context: FollowContext, spacingMs: number): void {
    const { metadata, topics, self } = this.options;
    const { assignments } = this;
    if (this.options.address().rack === null) return;
    // It looks as often as leaders commit; not so often where commits cost nothing.
    const paceMs = Math.max(spacingMs, FOLLOW_PACE_MIN_MS);
    this.#followed = new FollowedLogs({
      context,
      metadata,
      topics,
      assignments,
      self,
      paceMs,
    });
  }

  /** Registers and begins to lead; rejects when the metadata store cannot be reached. */
  async start(holdings: Holdings): Promise<void> {
    const { runtime, store, metadata, topics, namespace, leaseMs, signal } = this.options;
    const { readOnly = false } = this.options;
    const me = this.options.self;
    const { host, port, rack } = this.options.address();
    const membership = new Membership({
      runtime,
      metadata,
      ...me,
      host,
      port,
      rack,
      readOnly,
      leaseMs,
      changed: () => this.#changed(),
      returning: () => this.#returns(),
      superseded: this.options.fenced,
    });
    this.#membership = membership;
    const { assignments } = this;
    const ownership = {
      runtime,
      store,
      metadata,
      namespace,
      self: me,
      signal,
      assignments,
      records: this.#records,
      holdings,
      isLive: (chain: ChainRef) => membership.isLive(chain),
      incarnation: (brokerId: number) => membership.incarnation(brokerId),
      exists: (topicId: string) => topics.byId(topicId) !== undefined,
      fenced: this.options.fenced,
    };
    // Records of a time when it led may name it as the target still.
    if (!readOnly) this.#ownership = new Ownership(ownership);
    this.#controller = new Controller({
      ...this.options,
      membership,
      assignments,
      records: this.#records,
      topics: () => topics.all(),
    });
    this.#reaper = new ChainReaper({ ...this.options, membership, assignments });
    // First of all: an owner that isn't known to live would be taken for dead, and sealed.
    await membership.follow();
    await this.#follower.start();
    await this.#followed?.start();
    await membership.start();
    this.#ready = true;
    topics.onChange(() => this.#changed());
    this.#reaper.start();
    this.#changed();
  }

  view(clusterId: string, shardOf: (groupId: string) => number): ClusterView {
    const membership = () => this.#membership;
    const before: ClusterView = {
      clusterId,
      brokerId: this.options.self.brokerId,
      controllerId: -1,
      brokers: () => [this.options.address()],
      leader: () => ({ leaderId: -1, leaderEpoch: -1 }),
      isNew: () => false,
      readReplicas: () => [],
      readReplica: () => -1,
      coordinator: () => -1,
      shared: true,
      canLead: () => false,
      placement: () => ({ ownerId: -1, preferredId: -1, movingTo: undefined }),
      prefer: () => Promise.reject(new MetadataError("retry", "the broker is starting")),
    };
    let view: ClusterView | undefined;
    const now = (): ClusterView => {
      const present = membership();
      if (present === undefined) return before;
      return view ??= clusterView(
        clusterId,
        present,
        this.assignments,
        new Preferences({
          ...this.options,
          membership: present,
          assignments: this.assignments,
          records: this.#records,
        }),
        this.options.address,
        shardOf,
      );
    };
    return {
      clusterId,
      brokerId: before.brokerId,
      get controllerId() {
        return now().controllerId;
      },
      brokers: () => now().brokers(),
      leader: (topicId, partition) => now().leader(topicId, partition),
      isNew: (topicId, partition) => now().isNew(topicId, partition),
      readReplicas: (topicId, partition) => now().readReplicas(topicId, partition),
      readReplica: (topicId, partition, rack) => now().readReplica(topicId, partition, rack),
      coordinator: (groupId) => now().coordinator(groupId),
      shared: before.shared,
      canLead: (brokerId) => now().canLead(brokerId),
      placement: (topicId, partition) => now().placement(topicId, partition),
      prefer: (topicId, wanted) => now().prefer(topicId, wanted),
    };
  }

  /** Whether this broker does what one broker of the cluster has to do. */
  get isController(): boolean {
    return this.#membership?.isController ?? false;
  }

  /** Whether this broker gives its leadership away, and gets no new one. */
  get draining(): boolean {
    return this.#membership?.draining ?? false;
  }

  /** Whether there is a broker that would take over what this one leads. */
  get replaceable(): boolean {
    const { brokerId: me } = this.options.self;
    const others = this.#membership?.brokers() ?? [];
    return others.some(({ brokerId, draining, readOnly }) =>
      brokerId !== me && !draining && !readOnly
    );
  }

  /**
   * Gives everything that it leads to others, and leads nothing new; the rest that is still led
   * when the time is up. Does nothing where nobody would take over.
   */
  async drain(timeoutMs: number): Promise<number> {
    const { runtime, signal } = this.options;
    const membership = this.#membership;
    if (membership === undefined || !this.replaceable) return this.leadCount;
    const endMs = runtime.clock.monotonicMs() + timeoutMs;
    const before = this.leadCount;
    const first = !membership.draining;
    membership.drain();
    while (this.leadCount > 0 && runtime.clock.monotonicMs() < endMs && !signal.aborted) {
      await sleep(runtime.timers, DRAIN_LOOK_MS, signal);
    }
    const left = this.leadCount;
    if (first || before > 0) runtime.log.info("drained", { moved: before - left, left });
    return left;
  }

  /** Leads nothing more from here on, and leaves the list of brokers. Idempotent. */
  async stop(): Promise<void> {
    await this.#reaper?.stop();
    await this.#controller?.stop();
    await this.#ownership?.stop();
    await this.#followed?.stop();
    await this.#follower.stop();
    await this.#membership?.stop();
  }

  /** Calls `listener` when records or brokers have changed; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Its lease was lost, so others may lead what it led. A broker that registered before it knew
   * would be named as a leader, and serve a log that ends where it had it.
   */
  async #returns(): Promise<boolean> {
    // Nothing is decided by what is half old.
    this.#ready = false;
    try {
      await this.#membership!.refresh();
      await this.#follower.refresh();
    } catch (error) {
      this.#ready = true;
      throw error;
    }
    if (this.#ownership?.isOver) {
      this.options.fenced();
      return false;
    }
    this.#ready = true;
    this.#changed();
    return true;
  }

  #changed(): void {
    if (!this.#ready) return;
    for (const listener of [...this.#listeners]) listener();
    this.#controller?.poke();
    this.#ownership?.poke();
    this.#followed?.changed();
  }
}
