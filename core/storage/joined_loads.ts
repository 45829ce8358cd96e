/**
 * Loads of the cache on their way to the store. Readers of several partitions want what lies side
 * by side in one object of the WAL, each its own part, in the same turn of the event loop: that
 * becomes one call.
 */
import { type Deferred, deferred } from "../runtime/deferred.ts";
import { type BlockBuffers, type BlockRun, type LoadedRun, RunBuffers } from "./block_buffers.ts";
import type { ObjectStore } from "./object_store.ts";

export interface WantedRun extends BlockRun {
  readonly staleOk: boolean;
  /** Gives this run up; the store's call goes on for the sake of those that it is joined with. */
  readonly signal: AbortSignal;
}

interface Waiting extends WantedRun {
  readonly settled: Deferred<LoadedRun | undefined>;
}

export interface JoinedLoadsOptions {
  readonly store: ObjectStore;
  /** Without them every load allocates, and none is joined. */
  readonly buffers: BlockBuffers | undefined;
  /** Bytes of one call at most, unless one run alone has more. */
  readonly bytesMax: number;
  /** A run of so many bytes is given its buffers. */
  readonly onTaking: (bytes: number) => void;
  /** All that waited have them. */
  readonly onTaken: () => void;
}

export class JoinedLoads {
  #waiting: Waiting[] = [];

  constructor(readonly options: JoinedLoadsOptions) {}

  /** The run's bytes; undefined where the store has no such object. */
  load(run: WantedRun): Promise<LoadedRun | undefined> {
    const settled = deferred<LoadedRun | undefined>();
    this.#waiting.push({ ...run, settled });
    if (this.#waiting.length === 1) void Promise.resolve().then(() => this.#send());
    return settled.promise;
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const group of this.#groups(waiting)) void this.#call(group);
    this.options.onTaken();
  }

  /** Runs that follow each other, together as long as they are no more than a call may bring. */
  *#groups(waiting: Waiting[]): Generator<Waiting[]> {
    const { buffers, bytesMax } = this.options;
    waiting.sort((a, b) => a.key === b.key ? a.start - b.start : a.key < b.key ? -1 : 1);
    let group: Waiting[] = [];
    for (const run of waiting) {
      const [first] = group;
      const last = group.at(-1);
      const joins = buffers !== undefined && first !== undefined && run.key === first.key &&
        run.start === last!.end && run.staleOk === first.staleOk &&
        run.end - first.start <= bytesMax;
      if (!joins && group.length > 0) {
        yield group;
        group = [];
      }
      group.push(run);
    }
    if (group.length > 0) yield group;
  }

  async #call(group: readonly Waiting[]): Promise<void> {
    const { store, buffers } = this.options;
    const { key, start, staleOk } = group[0]!;
    const end = group.at(-1)!.end;
    const options = { signal: anyLeft(group), staleOk };
    const taken = group.map((run) => {
      const bytes = run.end - run.start;
      this.options.onTaking(bytes);
      return buffers && new RunBuffers(buffers, bytes);
    });
    try {
      if (buffers === undefined) {
        const bytes = await store.get(key, { start, end }, options);
        return group[0]!.settled.resolve(bytes && { parts: [bytes], giveBack: undefined });
      }
      const length = await store.getInto!(
        key,
        start,
        taken.flatMap((each) => each!.parts),
        options,
      );
      group.forEach((run, at) => {
        const mine = taken[at]!;
        const whole = length !== undefined && start + length >= run.end;
        if (whole) {
          return run.settled.resolve({
            parts: mine.parts,
            giveBack: () => mine.release(),
          });
        }
        mine.release();
        run.settled.resolve(length === undefined ? undefined : { parts: [], giveBack: undefined });
      });
    } catch (error) {
      // The store may still write into them.
      for (const each of taken) each?.forget();
      for (const run of group) run.settled.reject(error);
    }
  }
}

/** Aborted once all of them are given up. */
function anyLeft(group: readonly Waiting[]): AbortSignal {
  if (group.length === 1) return group[0]!.signal;
  const all = new AbortController();
  let left = group.length;
  for (const { signal } of group) {
    const givenUp = () => {
      if (--left === 0) all.abort(signal.reason);
    };
    if (signal.aborted) givenUp();
    else signal.addEventListener("abort", givenUp, { once: true });
  }
  return all.signal;
}
