import type { LeaderEpochStart } from "../storage/manifest.ts";

/** Which leader epoch wrote which offsets (KIP-101), ascending in both. */
export class LeaderEpochs {
  readonly #starts: LeaderEpochStart[];

  constructor(starts: readonly LeaderEpochStart[] = []) {
    this.#starts = [...starts];
  }

  /** Notes that `leaderEpoch` wrote from `startOffset` on, if that is news. */
  note(leaderEpoch: number, startOffset: number): void {
    const newest = this.#starts.at(-1);
    if (newest !== undefined && leaderEpoch <= newest.leaderEpoch) return;
    this.#starts.push({ leaderEpoch, startOffset });
  }

  /** The epoch that wrote `offset`, or -1. */
  epochOf(offset: number): number {
    let epoch = -1;
    for (const start of this.#starts) {
      if (start.startOffset > offset) break;
      epoch = start.leaderEpoch;
    }
    return epoch;
  }

  /**
   * The largest epoch at most `epoch` and its exclusive end; (-1, -1) where `epoch` is unknown
   * here.
   * `current` is the leader's own epoch, which ends at `endOffset`.
   */
  endOffset(
    epoch: number,
    current: number,
    endOffset: number,
  ): { leaderEpoch: number; endOffset: number } {
    if (epoch < 0 || epoch > current) return { leaderEpoch: -1, endOffset: -1 };
    if (epoch === current) return { leaderEpoch: epoch, endOffset };
    const after = this.#starts.findIndex((start) => start.leaderEpoch > epoch);
    if (after < 0) return { leaderEpoch: this.#starts.at(-1)?.leaderEpoch ?? -1, endOffset };
    // Older than all that is kept: the answer is where the oldest kept epoch begins.
    const floor = after === 0 ? epoch : this.#starts[after - 1]!.leaderEpoch;
    return { leaderEpoch: floor, endOffset: this.#starts[after]!.startOffset };
  }

  /** Forgets epochs that end at or below `logStartOffset`; the epoch of the log start stays. */
  trim(logStartOffset: number): void {
    while (this.#starts.length > 1 && this.#starts[1]!.startOffset <= logStartOffset) {
      this.#starts.shift();
    }
  }

  /** Those that start below `offset`, as the manifest keeps them. */
  below(offset: number): LeaderEpochStart[] {
    return this.#starts.filter((start) => start.startOffset < offset);
  }
}
