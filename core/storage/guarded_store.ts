/**
 * A store as the broker uses it: every call counted, judged for health, and bounded in time.
 */
import type { Runtime } from "../runtime/runtime.ts";
import { BoundedStore } from "./bounded_store.ts";
import { CallsByDirectory } from "./calls_by_directory.ts";
import { type HealthReport, type HealthSettings, StoreHealth } from "./health.ts";
import { healthProbeKey } from "./keys.ts";
import type { ObjectStore, ReplicaFigures } from "./object_store.ts";
import { ObservedStore } from "./observed_store.ts";
import { ReadOnlyStore } from "./read_only_store.ts";
import type { StoreFigures } from "./store_figures.ts";

/** No call waits longer than this, or five times what counts as unavailable. */
const STUCK_MIN_MS = 15_000;
const STUCK_FACTOR = 5;

export interface GuardedStoreOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly namespace: string;
  readonly brokerId: number;
  readonly health: HealthSettings;
  /** Nothing is ever written. */
  readonly readOnly?: boolean;
}

/** What people and machines may know of the store. */
export interface StoreView {
  readonly figures: StoreFigures;
  /** Where it reads from a replica. */
  readonly replica: ReplicaFigures | undefined;
  health(): HealthReport;
}

export class GuardedStore implements StoreView {
  readonly #observed: ObservedStore;
  readonly calls: CallsByDirectory;
  readonly gate: StoreHealth;
  /** For what goes on trying whatever the store's health is: commits, recovery. */
  readonly patient: BoundedStore;
  /** For what a client waits for: its reads fail at once while the store is unavailable. */
  readonly gated: BoundedStore;

  constructor(options: GuardedStoreOptions) {
    const { runtime, namespace, brokerId, health: settings, readOnly = false } = options;
    const store = readOnly ? new ReadOnlyStore(options.store) : options.store;
    this.calls = new CallsByDirectory(store, namespace);
    this.#observed = new ObservedStore(this.calls, runtime.clock);
    this.gate = new StoreHealth({
      runtime,
      store: this.#observed,
      probeKey: healthProbeKey(namespace, brokerId),
      settings,
      readOnly,
    });
    const bounded = {
      runtime,
      store: this.#observed,
      health: this.gate,
      stuckMs: Math.max(STUCK_MIN_MS, STUCK_FACTOR * settings.latencyCritMs),
      graceMs: settings.latencyCritMs,
    };
    this.patient = new BoundedStore({ ...bounded, gate: false });
    this.gated = new BoundedStore({ ...bounded, gate: true });
  }

  get figures(): StoreFigures {
    return this.#observed.figures;
  }

  get replica(): ReplicaFigures | undefined {
    return this.#observed.replica;
  }

  health(): HealthReport {
    return this.gate.report();
  }

  /** Ends probes and timers; calls in flight are their callers'. */
  async stop(): Promise<void> {
    this.patient.stop();
    this.gated.stop();
    await this.gate.stop();
  }
}
