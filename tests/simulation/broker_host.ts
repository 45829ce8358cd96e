/**
 * Runs one broker, incarnation after incarnation, on a bucket and a metadata service that outlive
 * it: starts it, crashes it between any two of its outside steps, stops it, pauses it, starts it
 * again.
 */
import { type Broker, createBroker } from "../../core/broker.ts";
import { type Config, defaultConfig } from "../../core/config/mod.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import type { Runtime } from "../../core/runtime/mod.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { MemoryMetadata, type MemoryMetadataView } from "../../drivers/metadata/memory/driver.ts";
import { type MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { replicaReadStore } from "../../drivers/storage/replica_read/driver.ts";
import type { EventLoop } from "./event_loop.ts";
import type { History } from "./history.ts";
import { ReplicatedObjects } from "./lagging_replica.ts";
import type { Plan } from "./plan.ts";
import type { Prng } from "./prng.ts";
import type { SimNetwork } from "./sim_network.ts";
import { leftovers } from "./leftovers.ts";
import { SimProcess } from "./sim_process.ts";
import { metadataOf, simRuntime, storeOf } from "./sim_runtime.ts";
import type { FsckReport } from "../../core/fsck/mod.ts";
import { boundedStore } from "./bounds.ts";
import { auditStore } from "./store_audit.ts";

export const BROKER_PORT = 9092;

/** A stop that takes longer is a hang. */
const STOP_LIMIT_MS = 60_000;

export interface HostOptions {
  readonly loop: EventLoop;
  readonly prng: Prng;
  readonly plan: Plan;
  readonly network: SimNetwork;
  readonly objects: MemoryObjects;
  readonly history: History;
  readonly note: (who: string, text: string) => void;
}

interface Incarnation {
  readonly number: number;
  readonly process: SimProcess;
  readonly view: MemoryMetadataView;
  broker: Broker | undefined;
}

export class BrokerHost {
  /** The service's own process: nobody crashes it. */
  readonly #service: SimProcess;
  readonly #metadata: MemoryMetadata;
  readonly #config: Config;
  readonly #numbers = new Map<SimProcess, number>();
  #current: Incarnation | undefined;
  #zombies: Incarnation[] = [];
  #count = 0;
  /** After the chaos: whatever ends a broker then is a fault of its own. */
  calm = false;

  constructor(readonly o: HostOptions) {
    this.#service = new SimProcess(o.loop, "services");
    this.#metadata = new MemoryMetadata({ timers: this.#service.timers });
    const { blockBytes: _, ...overrides } = o.plan.broker;
    this.#config = defaultConfig({
      ...overrides,
      brokerAddr: `10.0.0.1:${BROKER_PORT}`,
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

  get incarnations(): number {
    return this.#count;
  }

  get process(): SimProcess | undefined {
    return this.#current?.process;
  }

  /** What is stored at this moment, looked at without touching it. */
  audit(): Promise<FsckReport> {
    const { prng, network, objects } = this.o;
    const runtime = simRuntime(this.#service, prng.fork("audit"), network, () => {});
    return auditStore({ runtime, objects, metadata: this.#metadata, config: this.#config });
  }

  incarnationOf(process: SimProcess): number {
    return this.#numbers.get(process) ?? -1;
  }

  /** Starts the next incarnation; it comes back by itself whenever it dies. */
  start(): void {
    const { loop, prng, note, network, plan, objects, history } = this.o;
    const number = ++this.#count;
    const process = new SimProcess(loop, `broker-${number}`);
    this.#numbers.set(process, number);
    const runtime = simRuntime(
      process,
      prng.fork(`broker-${number}`),
      network,
      (who, ...line) => note(who, line.join(" ")),
    );
    const way = simRuntime(this.#service, prng.fork(`store-${number}`), network, () => {});
    const raw = memoryStore(objects, way, plan.store);
    const advice = {
      ...raw.advice,
      rangeBytes: plan.broker.blockBytes,
      parallelUploads: plan.broker.commitParallel,
    };
    const primary = storeOf(process, boundedStore(raw, advice, process.name, history));
    const store = this.#withReplica(primary, process, runtime, way);
    const view = this.#metadata.connect(this.#weather(prng.fork(`metadata-${number}`)));
    const incarnation: Incarnation = { number, process, view, broker: undefined };
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
    const startedInCalm = this.calm;
    createBroker({
      config: this.#config,
      runtime,
      store,
      metadata: metadataOf(process, view),
      onFatal: (error) => this.#fatal(incarnation, error),
    }).then((broker) => incarnation.broker = broker, (error) => {
      if (!process.alive) return;
      note(process.name, `did not start: ${error}`);
      if (startedInCalm) history.problem(`a broker did not start although all is well: ${error}`);
      process.kill();
    });
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
    const { prng, plan, loop, note } = this.o;
    const current = this.#current;
    if (current === undefined || !current.process.alive) return;
    if (current.broker !== undefined && prng.chance(plan.zombieChance)) {
      const forMs = prng.range(50, 3_000);
      note(current.process.name, `is taken for dead for ${forMs.toFixed(1)} ms`);
      current.process.pause(loop.nowMs + forMs);
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
    this.#current?.process.pause(this.o.loop.nowMs + forMs);
  }

  cutMetadata(forMs: number): void {
    const view = this.#current?.view;
    if (view === undefined) return;
    this.o.note("metadata", `is out of reach for ${forMs.toFixed(1)} ms`);
    view.disconnect();
    this.o.loop.after(forMs, () => view.reconnect());
  }

  /** What nothing names in the bucket, as of now. */
  leftovers(): Promise<string[]> {
    const { namespace, brokerId } = this.#config;
    return leftovers(this.o.objects, this.#metadata.connect(), namespace, brokerId);
  }

  /** The store refuses everything, or is paused, for a while. */
  cutStore(prng: Prng): void {
    const { loop, note, plan } = this.o;
    const refuses = prng.chance(0.5);
    const forMs = prng.chance(0.5) ? prng.range(50, 1_000) : prng.range(1_000, 8_000);
    note("store", `${refuses ? "refuses all" : "is paused"} for ${forMs.toFixed(1)} ms`);
    plan.store[refuses ? "refusedUntilMs" : "pausedUntilMs"] = loop.nowMs + forMs;
  }

  killZombies(): void {
    for (const { process } of this.#zombies) process.kill();
    this.#zombies = [];
  }

  #restart(): void {
    const { loop, prng, plan } = this.o;
    this.#current = undefined;
    loop.after(prng.range(0, this.calm ? 20 : plan.restartDelayMaxMs), () => this.start());
  }

  #fatal(incarnation: Incarnation, error: unknown): void {
    const { note, history } = this.o;
    if (!incarnation.process.alive) return;
    note(incarnation.process.name, `cannot go on: ${error}`);
    if (incarnation === this.#current) {
      history.problem(`${incarnation.process.name} gave up without a rival: ${error}`);
    }
    incarnation.process.kill();
  }

  #weather(prng: Prng) {
    const weather = this.o.plan.metadata;
    const delay = () =>
      new Promise<void>((resolve) =>
        this.#service.timers.after(prng.range(0, weather.latencyMaxMs), resolve)
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
