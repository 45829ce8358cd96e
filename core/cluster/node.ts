/**
 * One broker of a cluster: registration, the view of the others, leadership that comes and goes,
 * and the controller's work when it falls to this one. Puts the parts of this room together.
 */
import type { BrokerInfo, ClusterView } from "../handlers/rooms.ts";
import { AssignmentView, type ChainRef } from "../metadata/assignments.ts";
import { Follower } from "../metadata/follower.ts";
import { ASSIGNMENTS_PREFIX } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import type { TopicRegistry } from "../metadata/topics.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sleep } from "../runtime/sleep.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { ChainReaper } from "./chain_reaper.ts";
import { clusterView } from "./cluster_view.ts";
import { Controller } from "./controller.ts";
import { Membership } from "./membership.ts";
import { type Holdings, Ownership } from "./ownership.ts";

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
  readonly leaseMs: number;
  readonly orphanSweepMs: number;
  /** Others have taken over from this incarnation, or a newer process has its id. */
  readonly fenced: () => void;
  readonly signal: AbortSignal;
}

export class ClusterNode {
  readonly assignments = new AssignmentView();
  #membership: Membership | undefined;
  #ownership: Ownership | undefined;
  #controller: Controller | undefined;
  #reaper: ChainReaper | undefined;
  readonly #follower: Follower;
  /**
   * Brokers and records are both known. Before, everybody would seem to be dead or to lead nothing,
   * and a broker that only starts would take over from those that are at work.
   */
  #ready = false;

  constructor(readonly options: ClusterNodeOptions) {
    const { runtime, metadata } = options;
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

  leaderEpoch(topicId: string, partition: number): number {
    return this.#ownership?.leaderEpoch(topicId, partition) ?? -1;
  }

  /** Partitions and coordinator shards that are led here. */
  get leadCount(): number {
    return this.#ownership?.count ?? 0;
  }

  /** Registers and begins to lead; rejects when the metadata store cannot be reached. */
  async start(holdings: Holdings): Promise<void> {
    const { runtime, store, metadata, topics, namespace, leaseMs, signal } = this.options;
    const me = this.options.self;
    const { host, port, rack } = this.options.address();
    const membership = new Membership({
      runtime,
      metadata,
      ...me,
      host,
      port,
      rack,
      leaseMs,
      changed: () => this.#changed(),
      superseded: this.options.fenced,
    });
    this.#membership = membership;
    const { assignments } = this;
    this.#ownership = new Ownership({
      runtime,
      store,
      metadata,
      namespace,
      self: me,
      signal,
      assignments,
      holdings,
      isLive: (chain) => membership.isLive(chain),
      exists: (topicId) => topics.byId(topicId) !== undefined,
      fenced: this.options.fenced,
    });
    this.#controller = new Controller({
      runtime,
      metadata,
      membership,
      assignments,
      topics: () => topics.all(),
    });
    this.#reaper = new ChainReaper({ ...this.options, membership, assignments });
    await this.#follower.start();
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
      coordinator: () => -1,
    };
    let view: ClusterView | undefined;
    const now = (): ClusterView => {
      const present = membership();
      if (present === undefined) return before;
      return view ??= clusterView(
        clusterId,
        present,
        this.assignments,
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
      coordinator: (groupId) => now().coordinator(groupId),
    };
  }

  /** Whether this broker does what one broker of the cluster has to do. */
  get isController(): boolean {
    return this.#membership?.isController ?? false;
  }

  /** Gives everything that it leads to others; ends when that is done, or the time is up. */
  async drain(timeoutMs: number): Promise<void> {
    const { runtime } = this.options;
    const membership = this.#membership;
    if (membership === undefined || membership.draining) return;
    const others = membership.brokers().filter(({ draining }) => !draining);
    if (others.every(({ brokerId }) => brokerId === this.options.self.brokerId)) return;
    const endMs = runtime.clock.monotonicMs() + timeoutMs;
    membership.drain();
    while (this.leadCount > 0 && runtime.clock.monotonicMs() < endMs) {
      await sleep(runtime.timers, DRAIN_LOOK_MS, this.options.signal);
      if (this.options.signal.aborted) return;
    }
    runtime.log.info("drained", { left: this.leadCount });
  }

  /** Leads nothing more from here on, and leaves the list of brokers. Idempotent. */
  async stop(): Promise<void> {
    await this.#reaper?.stop();
    await this.#controller?.stop();
    await this.#ownership?.stop();
    await this.#follower.stop();
    await this.#membership?.stop();
  }

  #changed(): void {
    if (!this.#ready) return;
    this.#controller?.poke();
    this.#ownership?.poke();
  }
}
