/**
 * The partition's checkpoint and its one writer: manifests are created conditionally in sequence,
 * one at a time; who loses the race reloads the newest and goes on from it (DESIGN 1).
 */
import { createManifest, loadNewestManifest, superseded } from "../storage/manifest_store.ts";
import type {
  AbortedRange,
  LeaderEpochStart,
  Manifest,
  MergePlan,
  RemovedSegment,
  SegmentInfo,
} from "../storage/manifest.ts";
import { invariant } from "../runtime/assert.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { persist } from "../storage/retry.ts";
import { ProducerStates } from "./producer_state.ts";

export interface CheckpointOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** The partition's directory. */
  readonly prefix: string;
  readonly topicId: string;
  readonly partition: number;
  readonly signal: AbortSignal;
  /**
   * The checkpoint is another one now. Called at once, so that no reader meets the new segments
   * with the old log start offset or tail.
   */
  readonly taken?: () => void;
}

/** The part of a manifest that an update may change. */
export type CheckpointChange = Partial<
  Pick<
    Manifest,
    | "coveredOffset"
    | "logStartOffset"
    | "leaderEpochs"
    | "segments"
    | "removed"
    | "aborted"
    | "merge"
  >
>;

export class Checkpoint {
  sequence = -1;
  coveredOffset = 0;
  logStartOffset = 0;
  leaderEpochs: readonly LeaderEpochStart[] = [];
  segments: readonly SegmentInfo[] = [];
  removed: readonly RemovedSegment[] = [];
  aborted: readonly AbortedRange[] = [];
  /** See Manifest.merge. */
  merge: MergePlan | undefined;
  /** Producer state after the batches that lie wholly below `coveredOffset`. */
  producers = new ProducerStates();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(readonly options: CheckpointOptions) {}

  /** Reads the newest manifest, if there is one, and sweeps the superseded ones. */
  async load(): Promise<void> {
    const { store, prefix, topicId, partition } = this.options;
    const { manifest, stale } = await loadNewestManifest(store, prefix, this.options);
    if (manifest === undefined) return;
    invariant(
      manifest.topicId === topicId && manifest.partition === partition,
      "a manifest lies in another partition's directory",
    );
    this.#take(manifest);
    if (stale.length === 0) return;
    await store.delete(stale, this.options).catch(() => {
      // the next load sweeps them
    });
  }

  /**
   * Runs `change` alone among all updates of this partition. It gets the checkpoint as it is then,
   * and returns what the next manifest changes (undefined: nothing to do) along with the producers
   * as of a moved `coveredOffset`. Resolves to true when the manifest is durable, false when
   * nothing was to do or a rival was first: the checkpoint is then the rival's.
   */
  update(
    change: () => Promise<
      { change: CheckpointChange; producers?: ProducerStates } | undefined
    >,
  ): Promise<boolean> {
    const run = this.#queue.then(async () => {
      const next = await change();
      return next === undefined ? false : await this.#write(next.change, next.producers);
    });
    this.#queue = run.catch(() => {});
    return run;
  }

  /** Resolves when no update is under way. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  async #write(change: CheckpointChange, producers = this.producers): Promise<boolean> {
    const { runtime, store, prefix, topicId, partition, signal } = this.options;
    const manifest: Manifest = {
      topicId,
      partition,
      sequence: this.sequence + 1,
      writtenMs: runtime.clock.wallMs(),
      coveredOffset: this.coveredOffset,
      logStartOffset: this.logStartOffset,
      leaderEpochs: this.leaderEpochs,
      segments: this.segments,
      removed: this.removed,
      aborted: this.aborted,
      merge: this.merge,
      ...change,
      producers: producers.entries(),
    };
    invariant(manifest.coveredOffset >= this.coveredOffset, "coverage never goes back");
    invariant(manifest.logStartOffset >= this.logStartOffset, "the log start never goes back");
    invariant(manifest.logStartOffset <= manifest.coveredOffset, "the log start is covered");
    const created = await persist(this.options, async (attempt) => {
      const outcome = await createManifest(store, prefix, manifest, { signal, attempt });
      if (outcome === "exists") await this.load();
      return outcome === "created";
    });
    if (!created) return false;
    this.#take(manifest);
    this.producers = producers;
    await store.delete(superseded(prefix, manifest.sequence), { signal }).catch(() => {
      // the next load sweeps it
    });
    return true;
  }

  #take(manifest: Manifest): void {
    this.sequence = manifest.sequence;
    this.coveredOffset = manifest.coveredOffset;
    this.logStartOffset = manifest.logStartOffset;
    this.leaderEpochs = manifest.leaderEpochs;
    this.segments = manifest.segments;
    this.removed = manifest.removed;
    this.aborted = manifest.aborted;
    this.merge = manifest.merge;
    this.producers = new ProducerStates(manifest.producers);
    this.options.taken?.();
  }
}
