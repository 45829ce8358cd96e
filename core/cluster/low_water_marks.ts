import { type BrokerChains, brokerChainsOf } from "../metadata/brokers.ts";
import type { ChainRef } from "../metadata/assignments.ts";
import { Follower } from "../metadata/follower.ts";
import { BROKER_CHAINS_PREFIX } from "../metadata/keys.ts";
import type { Entry, MetadataStore, WatchEvent } from "../metadata/metadata_store.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** The low-water marks of all chains, as metadata tells them; a moment late, and never too high. */
export class LowWaterMarks {
  readonly #brokers = new Map<number, BrokerChains>();
  readonly #follower: Follower;

  constructor(runtime: Runtime, store: MetadataStore, changed: () => void) {
    this.#follower = new Follower({
      runtime,
      store,
      prefix: BROKER_CHAINS_PREFIX,
      what: "low-water marks",
      load: (entries) => {
        this.#brokers.clear();
        for (const entry of entries) this.#put(entry);
        changed();
      },
      apply: (events) => {
        this.#apply(events);
        changed();
      },
    });
  }

  /** Rejects when the metadata store cannot be read. */
  start(): Promise<void> {
    return this.#follower.start();
  }

  stop(): Promise<void> {
    return this.#follower.stop();
  }

  /** 0 where the chain is unknown: too new, or all of it is covered. */
  of({ brokerId, brokerEpoch }: ChainRef): number {
    const chains = this.#brokers.get(brokerId)?.chains ?? [];
    return chains.find(({ epoch }) => epoch === brokerEpoch)?.lowWaterSlot ?? 0;
  }

  #apply(events: readonly WatchEvent[]): void {
    for (const event of events) {
      if (event.type === "put") this.#put(event.entry);
      else this.#brokers.delete(Number(event.key.slice(BROKER_CHAINS_PREFIX.length)));
    }
  }

  #put(entry: Entry): void {
    const broker = brokerChainsOf(entry);
    this.#brokers.set(broker.brokerId, broker);
  }
}
