/**
 * The one writer of assignment records in a process. What is asked for one topic while its record
 * is being written shares the next write; what is asked for many topics at a time goes in few
 * transactions. So a broker that gives or takes thousands of partitions writes each record once,
 * and is no rival of its own.
 */
import {
  ASSIGNMENT_BYTES_PER_TRANSACTION_MAX,
  ASSIGNMENTS_PER_TRANSACTION_MAX,
} from "../config/limits.ts";
import { type Deferred, deferred } from "../runtime/deferred.ts";
import {
  assignmentOf,
  type AssignmentView,
  encodeAssignment,
  type PartitionAssignment,
} from "./assignments.ts";
import { assignmentKey } from "./keys.ts";
import { MetadataError, type MetadataStore, type Op, type Revision } from "./metadata_store.ts";

/** Lost so often together, topics are written one by one: one of them changes all the time. */
const TOGETHER_ATTEMPTS = 4;
const ATTEMPTS_MAX = 100;
/** Records; what is forgotten costs a transaction that fails, and a read. */
const WRITTEN_KEPT_MAX = 20_000;

type Partitions = readonly PartitionAssignment[];

/** As in `changeAssignment`. */
type AssignmentChange = (present: Partitions | undefined) => Partitions | undefined;

interface Asked {
  readonly change: AssignmentChange;
  readonly done: Deferred<Partitions | undefined>;
}

/** A record as it was at a revision; 0: there was none. */
interface Known {
  readonly revision: Revision;
  readonly partitions: Partitions | undefined;
}

const ABSENT: Known = { revision: 0, partitions: undefined };

interface Job {
  readonly topicId: string;
  asked: readonly Asked[];
}

/** What a job's changes make of a record. */
interface Plan {
  readonly job: Job;
  readonly base: Known;
  readonly results: readonly (Partitions | undefined)[];
  readonly value: Uint8Array | undefined;
}

export class AssignmentWriter {
  readonly #waiting = new Map<string, Asked[]>();
  readonly #busy = new Set<string>();
  /** Written here, and maybe not in the view yet. */
  readonly #written = new Map<string, Known>();
  #scheduled = false;

  constructor(
    readonly metadata: Pick<MetadataStore, "get" | "commit">,
    readonly view: AssignmentView,
  ) {}

  /**
   * Changes a topic's record by compare-and-set, like `changeAssignment`: `change` may run several
   * times, and returns undefined to leave the record as metadata, not only the view, has it.
   * Resolves to the record as this change left it.
   */
  change(topicId: string, change: AssignmentChange): Promise<Partitions | undefined> {
    const done = deferred<Partitions | undefined>();
    const waiting = this.#waiting.get(topicId);
    if (waiting === undefined) this.#waiting.set(topicId, [{ change, done }]);
    else waiting.push({ change, done });
    this.#schedule();
    return done.promise;
  }

  /** The record as the view has it, or as it was written here since; undefined: neither knows. */
  partitions(topicId: string): Partitions | undefined {
    return this.#known(topicId).partitions;
  }

  /** All that is asked in one turn goes together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#forgetSeen();
      const jobs: Job[] = [];
      for (const [topicId, asked] of this.#waiting) {
        if (this.#busy.has(topicId)) continue;
        this.#waiting.delete(topicId);
        this.#busy.add(topicId);
        jobs.push({ topicId, asked });
      }
      for (let at = 0; at < jobs.length; at += ASSIGNMENTS_PER_TRANSACTION_MAX) {
        void this.#run(jobs.slice(at, at + ASSIGNMENTS_PER_TRANSACTION_MAX));
      }
    });
  }

  async #run(jobs: readonly Job[]): Promise<void> {
    try {
      await this.#write(jobs);
    } catch (error) {
      for (const { asked } of jobs) for (const { done } of asked) done.reject(error);
    }
    for (const { topicId } of jobs) this.#busy.delete(topicId);
    if (this.#waiting.size > 0) this.#schedule();
  }

  /** Settles all that is asked, or throws where the store fails. */
  async #write(jobs: readonly Job[]): Promise<void> {
    let left = jobs;
    // From what is known at first; a record that need not change is looked at before that is said.
    for (let attempt = 0; attempt < TOGETHER_ATTEMPTS && left.length > 0; attempt++) {
      left = await this.#attempt(left, attempt > 0);
    }
    await Promise.all(left.map(async (job) => {
      let alone: readonly Job[] = [job];
      for (let attempt = 0; alone.length > 0; attempt++) {
        if (attempt === ATTEMPTS_MAX) {
          throw new MetadataError("retry", "an assignment record changes too fast to be updated");
        }
        alone = await this.#attempt(alone, true);
      }
    }));
  }

  /** Returns the jobs that are to be tried again. */
  async #attempt(jobs: readonly Job[], fresh: boolean): Promise<Job[]> {
    const again: Job[] = [];
    const plans: Plan[] = [];
    const bases = fresh
      ? await Promise.all(jobs.map(({ topicId }) => this.#read(topicId)))
      : jobs.map(({ topicId }) => this.#known(topicId));
    for (const [at, job] of jobs.entries()) {
      const plan = planOf(job, bases[at]!);
      if (plan.value !== undefined) plans.push(plan);
      else if (fresh) settle(plan);
      else again.push(job);
    }
    for (const together of pieces(plans)) {
      if (!await this.#commit(together)) again.push(...together.map(({ job }) => job));
    }
    return again;
  }

  async #commit(plans: readonly Plan[]): Promise<boolean> {
    const outcome = await this.metadata.commit({
      if: plans.map(({ job, base: { revision } }) => ({
        key: assignmentKey(job.topicId),
        revision,
      })),
      then: plans.map(({ job, value }): Op => ({ put: assignmentKey(job.topicId), value: value! })),
    });
    for (const plan of plans) {
      const { topicId } = plan.job;
      this.#written.delete(topicId);
      if (!outcome.ok) continue;
      this.#written.set(topicId, {
        revision: outcome.revision,
        partitions: plan.results.at(-1),
      });
      settle(plan);
    }
    return outcome.ok;
  }

  async #read(topicId: string): Promise<Known> {
    const entry = await this.metadata.get(assignmentKey(topicId));
    return {
      revision: entry?.revision ?? 0,
      partitions: entry && assignmentOf(entry).partitions,
    };
  }

  /** The newest that this process has seen; what it hasn't is tried as absent. */
  #known(topicId: string): Known {
    const seen = this.view.known(topicId) ?? ABSENT;
    const written = this.#written.get(topicId) ?? ABSENT;
    return written.revision > seen.revision ? written : seen;
  }

  /** What the view has by now need not be kept; of what it lost again a little is. */
  #forgetSeen(): void {
    for (const [topicId, { revision }] of this.#written) {
      if (revision <= (this.view.known(topicId)?.revision ?? 0)) this.#written.delete(topicId);
    }
    if (this.#written.size > WRITTEN_KEPT_MAX) this.#written.clear();
  }
}

/** One change after the other; one that throws is refused, and changes nothing. */
function planOf(job: Job, base: Known): Plan {
  const asked: Asked[] = [];
  const results: (Partitions | undefined)[] = [];
  let partitions = base.partitions;
  for (const each of job.asked) {
    try {
      partitions = each.change(partitions) ?? partitions;
    } catch (error) {
      each.done.reject(error);
      continue;
    }
    asked.push(each);
    results.push(partitions);
  }
  job.asked = asked;
  const value = partitions === undefined || partitions === base.partitions
    ? undefined
    : encodeAssignment({ topicId: job.topicId, partitions });
  return { job, base, results, value };
}

function settle({ job, results }: Plan): void {
  for (const [at, { done }] of job.asked.entries()) done.resolve(results[at]);
}

/** Cuts what is to be written into transactions that every store takes. */
function* pieces(plans: readonly Plan[]): Generator<Plan[]> {
  let piece: Plan[] = [];
  let bytes = 0;
  for (const plan of plans) {
    const size = plan.value!.length;
    if (piece.length > 0 && bytes + size > ASSIGNMENT_BYTES_PER_TRANSACTION_MAX) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(plan);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}
