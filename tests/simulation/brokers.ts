/**
 * All brokers of a run: one that leads everything, or several that share the store and metadata and
 * lead by assignment. What strikes, strikes one that is drawn.
 */
import { assignmentOf, changeAssignment } from "../../core/metadata/assignments.ts";
import { ASSIGNMENTS_PREFIX, CONTROLLER_KEY, GENERATION_KEY } from "../../core/metadata/keys.ts";
import { CONTROLLER, METADATA_GENERATION } from "../../core/metadata/records.ts";
import { unseal } from "../../core/metadata/envelope.ts";
import type { FsckReport } from "../../core/fsck/mod.ts";
import {
  CALM,
  type MemoryFaults,
  type MemoryObjects,
} from "../../drivers/storage/memory/driver.ts";
import { chainSlotOfKey, walPrefix } from "../../core/storage/keys.ts";
import { decodeSlotHeader } from "../../core/storage/wal/format.ts";
import { isLater } from "../../core/storage/wal/newest_mark.ts";
import type { MemoryCopy } from "../../drivers/metadata/memory/driver.ts";
import { restoreSnapshot } from "../../plugins/snapshot/snapshots.ts";
import { BrokerHost } from "./broker_host.ts";
import { newestMarkIn } from "./bucket_marks.ts";
import { unsettled } from "./convergence.ts";
import type { EventLoop } from "./event_loop.ts";
import type { History } from "./history.ts";
import { leftovers } from "./leftovers.ts";
import { Leadership, SimMetadata } from "./leadership.ts";
import type { Plan } from "./plan.ts";
import type { Prng } from "./prng.ts";
import type { Sabotage } from "./sabotage.ts";
import type { SimNetwork } from "./sim_network.ts";
import { SimProcess } from "./sim_process.ts";
import { simRuntime } from "./sim_runtime.ts";
import { auditStore } from "./store_audit.ts";

const FIRST_PORT = 9092;
/** What a stopped broker asked of metadata has come about by then, or never does. */
const STOPPED_MS = 100;

export interface BrokersOptions {
  readonly loop: EventLoop;
  readonly prng: Prng;
  readonly plan: Plan;
  readonly network: SimNetwork;
  readonly objects: MemoryObjects;
  readonly history: History;
  readonly sabotage: Sabotage | undefined;
  readonly note: (who: string, text: string) => void;
}

export class Brokers {
  readonly hosts: readonly BrokerHost[];
  readonly metadata: SimMetadata;
  /** The services' own process: nobody crashes it. */
  readonly #service: SimProcess;
  readonly #numbers = new Map<SimProcess, number>();
  readonly #stores: MemoryFaults[] = [];
  readonly #prng: Prng;
  /** Metadata as it was: as a snapshot, and as its files. */
  #backup: { readonly snapshot: Uint8Array; readonly files: MemoryCopy } | undefined;
  #restored = false;
  /** An operator backs metadata up, or puts it back. */
  #operating = false;

  constructor(readonly o: BrokersOptions) {
    const { loop, history, plan, prng } = o;
    this.#prng = prng.fork("brokers");
    this.#service = new SimProcess(loop, "services");
    const leadership = new Leadership(history);
    this.metadata = new SimMetadata({ timers: this.#service.timers }, leadership);
    const count = plan.cluster?.brokers ?? 1;
    if (count > 1) history.leadership = leadership;
    this.hosts = Array.from({ length: count }, (_, at) => this.#host(at + 1));
  }

  #host(brokerId: number): BrokerHost {
    const { plan, prng } = this.o;
    const alone = plan.cluster === undefined;
    const store = alone ? plan.store : { ...plan.store };
    this.#stores.push(store);
    return new BrokerHost({
      ...this.o,
      brokerId,
      port: FIRST_PORT + brokerId - 1,
      prng: alone ? prng : prng.fork(`id-${brokerId}`),
      metadata: this.metadata,
      service: this.#service,
      store,
      number: (process) => {
        this.#numbers.set(process, this.#numbers.size + 1);
        return this.#numbers.size;
      },
    });
  }

  get ports(): number[] {
    return this.hosts.map(({ o }) => o.port);
  }

  get incarnations(): number {
    return this.#numbers.size;
  }

  incarnationOf(process: SimProcess): number {
    return this.#numbers.get(process) ?? -1;
  }

  /** One of them, as the chaos draws. */
  any(): BrokerHost {
    return this.hosts.length === 1 ? this.hosts[0]! : this.#prng.pick(this.hosts);
  }

  start(): void {
    for (const host of this.hosts) host.start();
  }

  endFaults(): void {
    for (const store of this.#stores) {
      Object.assign(store, { ...CALM, latencyMinMs: 0.2, latencyMaxMs: 1 });
    }
    for (const host of this.hosts) {
      host.calm = true;
      host.killZombies();
      host.process?.putOutFuse();
      if (this.hosts.length === 1) host.settled = true;
    }
  }

  /** At rest: one that is drawn, or all, die without a word. */
  crashAtRest(): void {
    const all = this.#prng.chance(0.3);
    const victim = this.any();
    for (const host of this.hosts) if (all || host === victim) host.process?.kill();
  }

  /** Metadata is older than the bucket, until all brokers have started and noticed it. */
  get restoring(): boolean {
    if (this.#restored && this.hosts.every((host) => host.serving)) this.#restored = false;
    return this.#restored;
  }

  /** What keeps the cluster from being at rest, in words. */
  unsettled(): string[] {
    if (this.hosts.length === 1) return [];
    const missing = this.hosts.filter((host) => !host.serving)
      .map(({ o }) => `broker ${o.brokerId} does not serve`);
    const cutOff = this.hosts.filter((host) => host.cutOff)
      .map(({ o }) => `broker ${o.brokerId} does not reach the metadata`);
    // its lease may run out yet, and what it led go to others
    const asleep = this.hosts.filter((host) => host.process?.paused === true)
      .map(({ o }) => `broker ${o.brokerId} sleeps`);
    return [...missing, ...cutOff, ...asleep, ...unsettled(this.metadata, this.hosts.length)];
  }

  set settled(settled: boolean) {
    for (const host of this.hosts) {
      host.settled = settled;
      host.fencedBefore = this.#fenced();
    }
  }

  /**
   * Incarnations whose chains are sealed. A taker may have sealed one, and then not have become the
   * owner; its broker leads on, and finds the fence with its next commit.
   */
  #fenced(): Set<number> {
    const { objects } = this.o;
    const { namespace } = this.hosts[0]!.config;
    const fenced = new Set<number>();
    for (const { key } of objects.page(walPrefix(namespace), undefined, Infinity)) {
      const at = chainSlotOfKey(namespace, key);
      if (at === undefined || decodeSlotHeader(objects.get(key)!).kind !== "seal") continue;
      fenced.add(this.metadata.leadership.incarnationOf(at));
    }
    return fenced;
  }

  /** The host of the broker that controls at this moment. */
  controller(): BrokerHost | undefined {
    const entry = this.metadata.get(CONTROLLER_KEY);
    if (entry === undefined) return undefined;
    const { broker_id: id } = unseal(CONTROLLER, entry.key, entry.value);
    return this.hosts.find(({ o }) => o.brokerId === id);
  }

  /** An operator's wish: somebody else shall lead a partition, or no wish any more. */
  async prefer(wish: "move" | "none"): Promise<void> {
    const records = this.metadata.list(ASSIGNMENTS_PREFIX).entries.map(assignmentOf);
    // what is written before a broker looks hides that metadata went back (0011)
    if (records.length === 0 || (wish === "move" && this.restoring)) return;
    const view = this.metadata.connect();
    const chosen = wish === "none" ? records : [this.#prng.pick(records)];
    for (const { topicId, partitions } of chosen) {
      const moved = this.#prng.below(partitions.length);
      const { brokerId } = this.any().o;
      await changeAssignment(
        view,
        topicId,
        (present) =>
          present?.map((each, at) =>
            wish === "none"
              ? { ...each, preferred: -1 }
              : at === moved
              ? { ...each, preferred: brokerId }
              : each
          ),
      );
    }
  }

  /**
   * Backs metadata up or, where that was done, puts it back: by `kafscale snapshot restore`, or by
   * the tools of its service, of which nobody is told but by the bucket. All brokers are stopped
   * before, and started behind it. What was written in between is lost. Some backups are put back
   * twice.
   */
  async backUpOrRestore(): Promise<void> {
    if (this.#operating) return;
    this.#operating = true;
    try {
      await this.#backUpOrRestore();
    } finally {
      this.#operating = false;
    }
  }

  async #backUpOrRestore(): Promise<void> {
    const { loop, plan, note } = this.o;
    const view = this.metadata.connect();
    const backup = this.#backup;
    if (backup === undefined) {
      // A topic that is made later would be gone with all its records.
      const records = this.metadata.list(ASSIGNMENTS_PREFIX).entries.map(assignmentOf);
      const led = records.every(({ partitions }) => partitions.every(({ owner }) => owner));
      if (records.length <= plan.clients.stableTopics || !led || this.restoring) return;
      const files = this.metadata.copy();
      const parts = await Array.fromAsync(view.snapshot());
      const snapshot = Uint8Array.from(parts.flatMap((part) => [...part]));
      this.#backup = { snapshot, files };
      return;
    }
    if (this.#prng.chance(0.7)) this.#backup = undefined;
    this.#restored = true;
    note("operator", "stops all brokers to restore metadata");
    for (const host of this.hosts) host.hold();
    await new Promise<void>((resolve) => loop.after(STOPPED_MS, resolve));
    const told = this.#prng.chance(0.5) || !this.#bucketTells(backup.files);
    if (told) await restoreSnapshot(view, backup.snapshot);
    else this.metadata.putBack(backup.files);
    note("operator", told ? "has restored metadata" : "has put the files of metadata back");
    for (const host of this.hosts) host.release();
  }

  /** Whether slots were written when metadata was further than the copy (0011). */
  #bucketTells({ revision, entries }: MemoryCopy): boolean {
    const { namespace } = this.hosts[0]!.config;
    const entry = entries.find(({ key }) => key === GENERATION_KEY);
    const generation = entry === undefined
      ? 0
      : unseal(METADATA_GENERATION, entry.key, entry.value).generation;
    return isLater(newestMarkIn(this.o.objects, namespace), { generation, revision });
  }

  /** What is stored at this moment, looked at without touching it. */
  audit(): Promise<FsckReport> {
    const { prng, network, objects } = this.o;
    const runtime = simRuntime(this.#service, prng.fork("audit"), network, () => {});
    const { config } = this.hosts[0]!;
    return auditStore({ runtime, objects, metadata: this.metadata, config });
  }

  /** What nothing names in the bucket, as of now. */
  leftovers(): Promise<string[]> {
    const { namespace } = this.hosts[0]!.config;
    const ids = this.hosts.map(({ o }) => o.brokerId);
    return leftovers(this.o.objects, this.metadata.connect(), namespace, ids);
  }

  /** SIGTERM for all that serve; resolves when they have ended. */
  async stopAll(): Promise<void> {
    await Promise.all(this.hosts.filter(({ serving }) => serving).map((host) => host.stop()));
  }
}
