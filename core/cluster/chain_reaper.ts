/**
 * The end of chains: one that no assignment record names, and whose incarnation is gone, holds
 * nothing that anybody needs. It is sealed, so that a process that wakes up finds the fence; its
 * low-water mark is raised to the seal; then its slots go, all but the seal (DESIGN 1). The
 * controller's broker does it, one chain at a time.
 *
 * The views of brokers and records only choose whom to look at: they may be behind. What counts is
 * metadata as it is read after the seal. An incarnation writes for a partition only while a record
 * names it, so who is sealed and then named nowhere has nothing that a later record could mean.
 */
import { AssignmentView, type ChainRef, namesChain } from "../metadata/assignments.ts";
import {
  type ChainRecord,
  raiseLowWater,
  readAllChains,
  removeChains,
} from "../metadata/brokers.ts";
import { ASSIGNMENTS_PREFIX, TOPICS_PREFIX } from "../metadata/keys.ts";
import type { MetadataStore } from "../metadata/metadata_store.ts";
import { TopicView } from "../metadata/topic_view.ts";
import { Repeater } from "../runtime/repeater.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { sealChain } from "../storage/wal/seal.ts";
import type { Membership } from "./membership.ts";
import { sweepFormerChains } from "./former_chains.ts";

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
  /** Between two sweeps of what late writes put into chains that were forgotten. */
  readonly orphanSweepMs: number;
  readonly signal: AbortSignal;
}

export class ChainReaper {
  /** Found dead at the last look; only a second sighting counts, since one may be starting. */
  #suspects = new Set<string>();
  /** Done, and kept in metadata as their broker's last ones. */
  readonly #done = new Set<string>();
  readonly #work: Repeater;
  /** In monotonic time. */
  #sweepDueMs = 0;

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
      await this.#sweepFormer();
    } finally {
      this.#work.pokeAfter(LOOK_MS);
    }
  }

  #isDead({ brokerId, epoch }: ChainRecord): boolean {
    const chain = { brokerId, brokerEpoch: epoch };
    const { membership, assignments } = this.options;
    return !membership.isLive(chain) && !namesChain(assignments, chain);
  }

  async #sweepFormer(): Promise<void> {
    const { runtime, orphanSweepMs } = this.options;
    if (runtime.clock.monotonicMs() < this.#sweepDueMs) return;
    const slots = await sweepFormerChains(this.options);
    this.#sweepDueMs = runtime.clock.monotonicMs() + orphanSweepMs;
    if (slots > 0) runtime.log.info("swept orphans of former brokers' chains", { slots });
  }

  /** As metadata is now: named, or perhaps needed by a topic that has no record yet. */
  async #isNeeded(chain: ChainRef): Promise<boolean> {
    const { metadata } = this.options;
    const topics = new TopicView();
    const listed = await metadata.list(TOPICS_PREFIX);
    topics.load(listed.entries, listed.revision);
    const records = new AssignmentView();
    records.load((await metadata.list(ASSIGNMENTS_PREFIX)).entries);
    if (namesChain(records, chain)) return true;
    return [...topics.all()].some(({ id }) => records.of(id) === undefined);
  }

  /** `superseded`: a newer incarnation of the id exists, so the chain can be forgotten. */
  async #reap(chain: ChainRecord, superseded: boolean): Promise<void> {
    const { runtime, store, metadata, namespace, self: me, signal } = this.options;
    const { brokerId, epoch, lowWaterSlot } = chain;
    const slots = await sealChain(
      { runtime, store, namespace, brokerId: me.brokerId, brokerEpoch: me.brokerEpoch, signal },
      { brokerId, brokerEpoch: epoch, lowWaterSlot },
    );
    if (await this.#isNeeded({ brokerId, brokerEpoch: epoch })) return;
    if (slots.length > 0) {
      const end = slots.at(-1)!.footer.slot + 1;
      await raiseLowWater(metadata, brokerId, epoch, end);
      for (let at = 0; at < slots.length; at += DELETE_BATCH) {
        const keys = slots.slice(at, at + DELETE_BATCH).map(({ key }) => key);
        await store.delete(keys, { signal });
      }
    }
    if (superseded) await removeChains(metadata, brokerId, [epoch]);
    else this.#done.add(nameOf(chain));
    this.#sweepDueMs = 0;
    if (slots.length > 0) {
      runtime.log.info("swept the chain of a former broker", {
        brokerId,
        epoch,
        slots: slots.length,
      });
    }
  }
}

function nameOf({ brokerId, epoch }: ChainRecord): string {
  return `${brokerId}/${epoch}`;
}
