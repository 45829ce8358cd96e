/**
 * Runs one broker id, incarnation after incarnation, on a bucket and a metadata service that
 * outlive it: starts it, crashes it between any two of its outside steps, stops it, pauses it,
 * starts it again.
 */
import { type Broker, createBroker } from "../../core/broker.ts";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import { liveBrokerOf } from "../../core/metadata/brokers.ts";
import { LIVE_BROKERS_PREFIX } from "../../core/metadata/keys.ts";
import {
  MetadataError,
  type MetadataStore,
  type Transaction,
} from "../../core/metadata/metadata_store.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import type { MemoryMetadataView } from "../../drivers/metadata/memory/driver.ts";
import {
  type MemoryFaults,
  type MemoryObjects,
  memoryStore,
} from "../../drivers/storage/memory/driver.ts";
import { replicaReadStore } from "../../drivers/storage/replica_read/driver.ts";
import { RACK } from "./cluster_plan.ts";
import type { EventLoop } from "./event_loop.ts";
import type { History, MetadataCut } from "./history.ts";
import { ReplicatedObjects } from "./lagging_replica.ts";
import type { SimMetadata } from "./leadership.ts";
import type { Plan } from "./plan.ts";
import type { Prng } from "./prng.ts";
import { boundMetadata, type Sabotage } from "./sabotage.ts";
import type { SimNetwork } from "./sim_network.ts";
import { SimProcess } from "./sim_process.ts";
import { metadataOf, simRuntime, storeOf } from "./sim_runtime.ts";
import { boundedStore } from "./bounds.ts";

/** A stop that takes longer is a hang. */
const STOP_LIMIT_MS = 60_000;

export interface HostOptions {
  readonly brokerId: number;
  readonly port: number;
  /** The service that all brokers share, and the process that it runs in. */
  readonly metadata: SimMetadata;
  readonly service: SimProcess;
  /** Faults of this broker's way to the store. */
  readonly store: MemoryFaults;
  /** Numbers incarnations, those of all brokers together. */
  readonly number: (process: SimProcess) => number;
  readonly loop: EventLoop;
  readonly prng: Prng;
  readonly plan: Plan;
  readonly network: SimNetwork;
  readonly objects: MemoryObjects;
  readonly history: History;
  readonly sabotage: Sabotage | undefined;
  readonly note: (who: string, text: string) => void;
}

interface Incarnation {
  readonly number: number;
  readonly process: SimProcess;
  readonly view: MemoryMetadataView;
  broker: Broker | undefined;
  cut: MetadataCut | undefined;
}

export class BrokerHost {
  readonly config: Config;
  #current: Incarnation | undefined;
  #zombies: Incarnation[] = [];
  #count = 0;
  #held = false;
  /** After the chaos. */
  calm = false;
  /** Whatever ends a broker now is a fault of its own. */
  settled = false;
  /** Incarnations that were sealed before that, and may not know it. */
  fencedBefore: ReadonlySet<number> = new Set();

  constructor(readonly o: HostOptions) {
    const { blockBytes: _, ...overrides } = o.plan.broker;
    const { cluster } = o.plan;
    this.config = defaultConfig({
      ...overrides,
      ...cluster === undefined ? {} : {
        cluster: true,
        brokerLeaseMs: cluster.leaseMs,
        rack: cluster.racks ? RACK : null,
      },
      brokerId: o.brokerId,
      brokerAddr: `10.0.0.1:${o.port}`,
      storage: "memory",
      metadata: "memory",
      namespace: "sim",
      autoCreateTopics: false,
      groupInitialRebalanceDelayMs: 100,
      groupMinSessionTimeoutMs: 100,
      retentionCheckIntervalMs: 1_000,
      drainTimeoutMs: 2_000,
    });
  }

  get serving(): boolean {
    return this.#current?.broker !== undefined && this.#current.process.alive;
  }

  /** Whether metadata cannot be reached: others may take over, which it learns of later. */
  get cutOff(): boolean {
    return this.#current?.cut?.to === Infinity;
  }

  /** Whether commits are on their way: of clients that have given up, say, to a store that hung. */
  get committing(): boolean {
    const broker = this.serving ? this.#current?.broker : undefined;
    return (broker?.view().figures.now().uncommittedBytes ?? 0) > 0;
  }

  get process(): SimProcess | undefined {
    return this.#current?.process;
  }

  /** Starts the next incarnation; it comes back by itself whenever it dies. */
  start(): void {
    const { loop, prng, note, network, plan, objects, history, brokerId, service } = this.o;
    const process = new SimProcess(
      loop,
      `broker-${this.o.plan.cluster === undefined ? "" : `${brokerId}.`}${++this.#count}`,
    );
    const number = this.o.number(process);
    const runtime = simRuntime(
      process,
      prng.fork(`broker-${number}`),
      network,
      (who, ...line) => note(who, line.join(" ")),
    );
    const way = simRuntime(service, prng.fork(`store-${number}`), network, () => {});
    const raw = memoryStore(objects, way, this.o.store);
    const advice = {
      ...raw.advice,
      rangeBytes: plan.broker.blockBytes,
      parallelUploads: plan.broker.commitParallel,
    };
    const bounded = storeOf(process, boundedStore(raw, advice, process.name, history));
    const { sabotage } = this.o;
    const primary = sabotage?.store?.(bounded, this.config.namespace, brokerId) ?? bounded;
    const store = this.#withReplica(primary, process, runtime, way);
    const view = this.o.metadata.connect(this.#weather(prng.fork(`metadata-${number}`)));
    const incarnation: Incarnation = { number, process, view, broker: undefined, cut: undefined };
    this.#current = incarnation;
    process.onDeath(() => {
      note(process.name, `died after ${process.steps} steps`);
      const replica = incarnation.broker?.storeView.replica;
      if (replica !== undefined) {
        const { reads, fallbacks } = replica;
        note(process.name, `had ${reads} reads for the replica, ${fallbacks} fell back`);
      }
      view.crash();
      if (this.#current === incarnation) this.#restart();
    });
    if (!this.calm && prng.chance(plan.fuseChance * 0.3)) process.lightFuse(prng.between(1, 60));
    note(process.name, "starts");
    const startedInCalm = this.settled;
    const late = this.#withLateCommits(view, prng.fork(`late-${number}`));
    const metadata = metadataOf(process, late, (tx) => this.#noteEpoch(tx, number));
    createBroker({
      config: this.config,
      runtime,
      store,
      metadata: sabotage?.metadata?.(metadata) ?? metadata,
      onFatal: (error) => this.#fatal(incarnation, error),
    }).then((broker) => incarnation.broker = broker, (error) => {
      if (!process.alive) return;
      note(process.name, `did not start: ${error}`);
      if (startedInCalm && this.settled) {
        history.problem(`a broker did not start although all is well: ${error}`);
      }
      process.kill();
    });
  }

  /** Whoever writes a registration says which broker epoch is its own. */
  #noteEpoch(tx: Transaction, number: number): void {
    for (const op of tx.then) {
      if (!("put" in op) || !op.put.startsWith(LIVE_BROKERS_PREFIX)) continue;
      const { epoch } = liveBrokerOf({ key: op.put, value: op.value, revision: 0 });
      const chain = { brokerId: this.o.brokerId, brokerEpoch: epoch };
      this.o.metadata.leadership.register(chain, number);
    }
  }

  /** A commit may fail and take effect some time later, if what it compares is still so. */
  #withLateCommits(view: MemoryMetadataView, prng: Prng): MetadataStore {
    const { plan, service, metadata } = this.o;
    const { lateCommitChance = 0, leaseMs = 0 } = plan.cluster ?? {};
    if (lateCommitChance === 0) return view;
    return {
      ...boundMetadata(view),
      commit: async (tx) => {
        if (this.calm || !prng.chance(lateCommitChance)) return await view.commit(tx);
        const leased = tx.then.some((op) => "put" in op && op.lease !== undefined);
        if (!leased) {
          service.timers.after(prng.range(0, leaseMs * 2), () => void metadata.commit(tx));
        }
        throw new MetadataError("retry", "injected: takes effect later");
      },
    };
  }

  /** `primary`, read by way of the replica where the plan has one. */
  #withReplica(
    primary: ObjectStore,
    process: SimProcess,
    runtime: Runtime,
    way: Runtime,
  ): ObjectStore {
    const { plan, objects } = this.o;
    if (plan.replica === undefined || !(objects instanceof ReplicatedObjects)) return primary;
    const replica = memoryStore(objects.replica, way, plan.replica.faults);
    return replicaReadStore({ runtime, primary, replica: storeOf(process, replica) });
  }

  /** Dies now, or at one of its next steps; or only seems to, and wakes up later. */
  crash(): void {
    const { prng, plan, note } = this.o;
    const current = this.#current;
    if (current === undefined || !current.process.alive) return;
    if (current.broker !== undefined && prng.chance(plan.zombieChance)) {
      const forMs = prng.range(50, 3_000);
      note(current.process.name, `is taken for dead for ${forMs.toFixed(1)} ms`);
      this.pause(forMs);
      this.#zombies.push(current);
      this.#restart();
    } else if (prng.chance(plan.fuseChance)) current.process.lightFuse(prng.between(1, 40));
    else current.process.kill();
  }

  /** SIGTERM: it drains and ends, and comes back. */
  async stop(): Promise<void> {
    const { loop, history, note } = this.o;
    const current = this.#current;
    if (current?.broker === undefined || !current.process.alive) return;
    note(current.process.name, "is told to stop");
    let stopped = false;
    loop.after(STOP_LIMIT_MS, () => {
      if (!stopped && current.process.alive) history.problem("a broker did not stop in time");
    });
    await current.broker.stop();
    stopped = true;
    note(current.process.name, "has stopped");
    current.process.kill();
  }

  pause(forMs: number): void {
    const current = this.#current;
    if (current === undefined) return;
    current.process.pause(this.o.loop.nowMs + forMs);
    if (this.o.plan.cluster === undefined) return;
    // Nobody keeps its lease alive meanwhile.
    current.view.suspend();
    this.o.loop.after(forMs, () => current.process.paused || current.view.wake());
  }

  /** Its lease ends at once, as after a pause that nobody noticed. */
  loseLease(): void {
    this.#current?.view.expireLeases();
  }

  cutClients(forMs: number): void {
    if (this.process !== undefined) this.o.network.cutOff(this.process, forMs);
  }

  cutMetadata(forMs: number): void {
    const current = this.#current;
    if (current === undefined) return;
    const { note, loop, history } = this.o;
    note("metadata", `is out of reach of ${current.process.name} for ${forMs.toFixed(1)} ms`);
    current.view.disconnect();
    if (current.cut?.to !== Infinity) {
      const cut = { incarnation: current.number, from: history.now(), to: Infinity };
      current.cut = cut;
      history.cuts.push(cut);
    }
    const { cut } = current;
    loop.after(forMs, () => {
      current.view.reconnect();
      cut!.to = Math.min(cut!.to, history.now());
    });
  }

  /** The store refuses everything, or is paused, for a while. */
  cutStore(prng: Prng): void {
    const { loop, note, store } = this.o;
    const refuses = prng.chance(0.5);
    const forMs = prng.chance(0.5) ? prng.range(50, 1_000) : prng.range(1_000, 8_000);
    note(
      `store-${this.o.brokerId}`,
      `${refuses ? "refuses all" : "is paused"} for ${forMs.toFixed(1)} ms`,
    );
    store[refuses ? "refusedUntilMs" : "pausedUntilMs"] = loop.nowMs + forMs;
  }

  killZombies(): void {
    for (const { process } of this.#zombies) process.kill();
    this.#zombies = [];
  }

  #restart(): void {
    const { loop, prng, plan } = this.o;
    this.#current = undefined;
    loop.after(prng.range(0, this.calm ? 20 : plan.restartDelayMaxMs), () => {
      if (!this.#held && this.#current === undefined) this.start();
    });
  }

  /** Dies, and stays so until it is released. */
  hold(): void {
    this.#held = true;
    this.killZombies();
    this.process?.kill();
  }

  release(): void {
    this.#held = false;
    if (this.#current === undefined) this.start();
  }

  #fatal(incarnation: Incarnation, error: unknown): void {
    const { note, history } = this.o;
    if (!incarnation.process.alive) return;
    note(incarnation.process.name, `cannot go on: ${error}`);
    // In a cluster any broker is a rival, until all is at rest.
    const alone = this.o.plan.cluster === undefined;
    const excused = !alone && (!this.settled || this.fencedBefore.has(incarnation.number));
    if (incarnation === this.#current && !excused) {
      history.problem(`${incarnation.process.name} gave up without a rival: ${error}`);
    }
    incarnation.process.kill();
  }

  #weather(prng: Prng) {
    const weather = this.o.plan.metadata;
    const delay = () =>
      new Promise<void>((resolve) =>
        this.o.service.timers.after(prng.range(0, weather.latencyMaxMs), resolve)
      );
    return {
      before: async (call: string) => {
        await delay();
        if (call !== "watch" && prng.chance(weather.failBeforeChance)) {
          throw new MetadataError("retry", "injected: not reached");
        }
      },
      after: async (call: string) => {
        await delay();
        if (call !== "watch" && prng.chance(weather.failAfterChance)) {
          throw new MetadataError("retry", "injected: reply lost");
        }
      },
    };
  }
}
