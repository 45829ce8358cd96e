/**
 * The end of chains: one that no assignment record names, and whose incarnation is gone, holds
 * nothing that anybody needs. It is sealed, so that a process that wakes up finds the fence; its
 * low-water mark is raised to the seal; then its slots go, all but the seal (DESIGN 1). The
 * controller's broker does it, one chain at a time.
 */
import type { AssignmentView, ChainRef } from "../metadata/assignments.ts";
import {
  type ChainRecord,
  raiseLowWater,
  readAllChains,
  removeChains,
} from "../metadata/brokers.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { Repeater } from "../runtime/repeater.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { chainPrefix } from "../storage/keys.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { sealChain } from "../storage/wal/seal.ts";
import { WAL_HEADER_BYTES } from "../storage/wal/format.ts";
import type { Membership } from "./membership.ts";

const LOOK_MS = 30_000;
const DELETE_BATCH = 500;

export interface ChainReaperOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore;
  readonly namespace: string;
  readonly self: ChainRef;
  readonly membership: Membership;
  readonly assignments: AssignmentView;
  readonly signal: AbortSignal;
}

export class ChainReaper {
  /** Found dead at the last look; only a second sighting counts, since one may be starting. */
  #suspects = new Set<string>();
  /** Done, and kept in metadata as their broker's last ones. */
  readonly #done = new Set<string>();
  readonly #work: Repeater;

  constructor(readonly options: ChainReaperOptions) {
    const { runtime } = options;
    this.#work = new Repeater(runtime, () => this.#look(), (error) => {
      runtime.log.warn("chains of former brokers are swept later", { error });
    });
  }

  start(): void {
    this.#work.pokeAfter(LOOK_MS);
  }

  stop(): Promise<void> {
    return this.#work.stop();
  }

  async #look(): Promise<void> {
    const { membership, metadata } = this.options;
    try {
      if (!membership.isController) return this.#suspects.clear();
      const dead: ChainRecord[] = [];
      const newest = new Map<number, number>();
      for (const { chains, lastEpoch, brokerId } of await readAllChains(metadata)) {
        newest.set(brokerId, lastEpoch);
        // of a chain that was met with older metadata nobody knows who needs it
        dead.push(...chains.filter((chain) => !chain.keepUnknown && this.#isDead(chain)));
      }
      const before = this.#suspects;
      this.#suspects = new Set(dead.map(nameOf));
      for (const chain of dead) {
        const name = nameOf(chain);
        if (!before.has(name) || this.#done.has(name) || !this.#isDead(chain)) continue;
        await this.#reap(chain, chain.epoch < newest.get(chain.brokerId)!);
      }
    } finally {
      this.#work.pokeAfter(LOOK_MS);
    }
  }

  #isDead({ brokerId, epoch }: ChainRecord): boolean {
    const chain = { brokerId, brokerEpoch: epoch };
    return !this.options.membership.isLive(chain) && !this.#isNamed(chain);
  }

  #isNamed(chain: ChainRef): boolean {
    const same = (other: ChainRef | undefined) =>
      other?.brokerId === chain.brokerId && other.brokerEpoch === chain.brokerEpoch;
    for (const { partitions } of this.options.assignments.all()) {
      if (partitions.some(({ owner, sources }) => same(owner) || sources.some(same))) return true;
    }
    return false;
  }

  /** `superseded`: a newer incarnation of the id exists, so the chain can be forgotten. */
  async #reap(chain: ChainRecord, superseded: boolean): Promise<void> {
    const { runtime, store, metadata, namespace, self: me, signal } = this.options;
    const { brokerId, epoch, lowWaterSlot } = chain;
    const slots = await sealChain(
      { runtime, store, namespace, brokerId: me.brokerId, brokerEpoch: me.brokerEpoch, signal },
      { brokerId, brokerEpoch: epoch, lowWaterSlot },
    );
    if (slots.length > 0) {
      const end = slots.at(-1)!.footer.slot + 1;
      await raiseLowWater(metadata, brokerId, epoch, end);
      for (let at = 0; at < slots.length; at += DELETE_BATCH) {
        const keys = slots.slice(at, at + DELETE_BATCH).map(({ key }) => key);
        await store.delete(keys, { signal });
      }
    }
    if (!superseded) this.#done.add(nameOf(chain));
    else {
      await this.#sweepVoid(brokerId, epoch);
      await removeChains(metadata, brokerId, [epoch]);
    }
    if (slots.length > 0) {
      runtime.log.info("swept the chain of a former broker", {
        brokerId,
        epoch,
        slots: slots.length,
      });
    }
  }

  /** What lies behind the seal is void; the seal itself is told by its size. */
  async #sweepVoid(brokerId: number, epoch: number): Promise<void> {
    const { store, namespace, signal } = this.options;
    const keys: string[] = [];
    for await (
      const { key, size } of store.list(chainPrefix(namespace, brokerId, epoch), undefined, {
        signal,
      })
    ) {
      if (size > WAL_HEADER_BYTES + SEAL_FOOTER_BYTES_MAX) keys.push(key);
    }
    if (keys.length > 0) await store.delete(keys, { signal });
  }
}

const SEAL_FOOTER_BYTES_MAX = 256;

function nameOf({ brokerId, epoch }: ChainRecord): string {
  return `${brokerId}/${epoch}`;
}
