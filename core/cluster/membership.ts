/**
 * This broker among the others: its registration and, for one of them, the controller's key, both
 * under one lease; and the view of who is alive. Liveness decides when somebody tries to take over,
 * never what is safe (I11): a lost lease ends nothing here, the registration is made again.
 */
import { REGISTER_RETRY_MAX_MS } from "../config/limits.ts";
import { seal, unseal } from "../metadata/envelope.ts";
import { liveBrokerOf } from "../metadata/brokers.ts";
import { Follower } from "../metadata/follower.ts";
import { CONTROLLER_KEY, LIVE_BROKERS_PREFIX, liveBrokerKey } from "../metadata/keys.ts";
import type { LiveBroker } from "../metadata/brokers.ts";
import type { Entry, Lease, MetadataStore, WatchEvent } from "../metadata/metadata_store.ts";
import { BROKER_REGISTRATION, CONTROLLER } from "../metadata/records.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Repeater } from "../runtime/repeater.ts";
import { type ChainRef, sameChain } from "../metadata/assignments.ts";

export interface MembershipOptions {
  readonly runtime: Runtime;
  readonly metadata: MetadataStore;
  readonly brokerId: number;
  readonly brokerEpoch: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  /** Never leads nor controls. */
  readonly readOnly: boolean;
  /** How long a dead broker stays on the list, in milliseconds. */
  readonly leaseMs: number;
  /**
   * It was off the list, and others may have taken over from it: resolves to whether it goes on,
   * once it knows what others did.
   */
  readonly returning: () => Promise<boolean>;
  /** Who is alive, or who controls, has changed. */
  readonly changed: () => void;
  /** A newer process has this broker's id: this one is over. */
  readonly superseded: () => void;
}

export class Membership {
  readonly #live = new Map<number, LiveBroker>();
  #controller: ChainRef | undefined;
  #lease: Lease | undefined;
  /** What was put last, and under which lease. */
  #registered: { readonly lease: Lease; readonly draining: boolean } | undefined;
  #draining = false;
  #stopped = false;
  /** Others have taken over from it: it is never on the list again. */
  #over = false;
  readonly #registering: Repeater;
  readonly #brokers: Follower;
  readonly #controllers: Follower;

  constructor(readonly options: MembershipOptions) {
    const { runtime, metadata: store } = options;
    this.#registering = new Repeater(runtime, () => this.#register(), (error) => {
      runtime.log.warn("this broker cannot be registered at the moment; trying again", { error });
    }, REGISTER_RETRY_MAX_MS);
    this.#brokers = new Follower({
      runtime,
      store,
      prefix: LIVE_BROKERS_PREFIX,
      what: "brokers",
      load: (entries) => this.#loadBrokers(entries),
      apply: (events) => this.#applyBrokers(events),
    });
    this.#controllers = new Follower({
      runtime,
      store,
      prefix: CONTROLLER_KEY,
      what: "the controller",
      load: (entries) => this.#setController(entries.at(-1)),
      apply: (events) => {
        const last = events.at(-1);
        this.#setController(last?.type === "put" ? last.entry : undefined);
      },
    });
  }

  /**
   * Knows from then on who is alive; before anything is decided by it. Rejects when the metadata
   * store cannot be reached.
   */
  follow(): Promise<void> {
    return this.#brokers.start();
  }

  /** Registers, once it follows; rejects when the metadata store cannot be reached. */
  async start(): Promise<void> {
    await this.#register();
    await this.#controllers.start();
    this.#registering.poke();
  }

  /** Knows who is alive, and who controls, as of now. */
  async refresh(): Promise<void> {
    await Promise.all([this.#brokers.refresh(), this.#controllers.refresh()]);
  }

  get self(): ChainRef {
    return { brokerId: this.options.brokerId, brokerEpoch: this.options.brokerEpoch };
  }

  /** Live brokers, ascending by id. */
  brokers(): LiveBroker[] {
    return [...this.#live.values()].sort((a, b) => a.brokerId - b.brokerId);
  }

  /** Whether that very incarnation is registered. */
  isLive(chain: ChainRef): boolean {
    return this.#live.get(chain.brokerId)?.epoch === chain.brokerEpoch;
  }

  /** The one that is registered with the id. */
  incarnation(brokerId: number): ChainRef | undefined {
    const live = this.#live.get(brokerId);
    return live && { brokerId, brokerEpoch: live.epoch };
  }

  get controllerId(): number {
    return this.#controller?.brokerId ?? -1;
  }

  get isController(): boolean {
    return sameChain(this.#controller, this.self);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Asks the controller to give this broker's partitions to others. */
  drain(): void {
    this.#draining = true;
    this.#registering.poke();
  }

  /** Leaves the list at once. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#registering.stop();
    await Promise.all([this.#brokers.stop(), this.#controllers.stop()]);
    await this.#lease?.revoke().catch(() => {});
  }

  /** Makes registration and lease what they should be, and takes the controller's key if free. */
  async #register(): Promise<void> {
    if (this.#over) return;
    const { runtime, metadata, leaseMs } = this.options;
    if (this.#lease === undefined) {
      const lease = await metadata.lease(leaseMs);
      this.#lease = lease;
      void lease.lost.then(() => {
        if (this.#lease !== lease) return;
        this.#lease = undefined;
        if (this.#stopped) return;
        runtime.log.warn("this broker's lease was lost; registering again");
        this.#registering.poke();
      });
    }
    const lease = this.#lease;
    const { brokerId, brokerEpoch } = this.options;
    const draining = this.#draining;
    const there = this.#registered;
    if (there?.lease !== lease || there.draining !== draining || !this.isLive(this.self)) {
      const key = liveBrokerKey(brokerId);
      const present = await metadata.get(key);
      if (present !== undefined && liveBrokerOf(present).epoch > brokerEpoch) {
        runtime.log.error("a newer process has this broker's id; this one ends");
        return this.options.superseded();
      }
      const wasOff = there !== undefined && (there.lease !== lease || present === undefined);
      if (wasOff && !await this.options.returning()) {
        this.#over = true;
        return;
      }
      const put = { put: key, value: this.#registration(draining), lease };
      const outcome = await metadata.commit({
        if: [{ key, revision: present?.revision ?? 0 }],
        then: [put],
      });
      if (!outcome.ok) return this.#registering.poke();
      this.#registered = { lease, draining };
    }
    const able = !draining && !this.options.readOnly;
    if (this.#controller === undefined && able) await this.#candidate(lease);
  }

  #registration(draining: boolean): Uint8Array {
    const { brokerId, brokerEpoch, host, port, rack, readOnly } = this.options;
    return seal(BROKER_REGISTRATION, {
      broker_id: String(brokerId),
      host,
      port,
      rack: rack ?? "",
      epoch: brokerEpoch,
      draining,
      read_only: readOnly,
    });
  }

  async #candidate(lease: Lease): Promise<void> {
    const { brokerId, brokerEpoch } = this.options;
    const value = seal(CONTROLLER, { broker_id: brokerId, broker_epoch: brokerEpoch });
    await this.options.metadata.commit({
      if: [{ key: CONTROLLER_KEY, revision: 0 }],
      then: [{ put: CONTROLLER_KEY, value, lease }],
    });
  }

  #setController(entry: Entry | undefined): void {
    if (entry === undefined) this.#controller = undefined;
    else {
      const record = unseal(CONTROLLER, entry.key, entry.value);
      this.#controller = { brokerId: record.broker_id, brokerEpoch: record.broker_epoch };
    }
    if (this.#controller === undefined) this.#registering.poke();
    this.options.changed();
  }

  #loadBrokers(entries: readonly Entry[]): void {
    this.#live.clear();
    for (const entry of entries) this.#put(entry);
    this.#checkSelf();
    this.options.changed();
  }

  #applyBrokers(events: readonly WatchEvent[]): void {
    for (const event of events) {
      if (event.type === "put") this.#put(event.entry);
      else this.#live.delete(Number(event.key.slice(LIVE_BROKERS_PREFIX.length)));
    }
    this.#checkSelf();
    this.options.changed();
  }

  #put(entry: Entry): void {
    const broker = liveBrokerOf(entry);
    this.#live.set(broker.brokerId, broker);
  }

  /** Gone from the list without having left: the lease ran out while this process was away. */
  #checkSelf(): void {
    if (this.#registered !== undefined && !this.isLive(this.self)) this.#registering.poke();
  }
}
