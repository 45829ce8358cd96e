/**
 * The stored side of one group: its head, members and offsets. All of its writes form one chain:
 * each compares the head's revision and puts a new head that names the write, so
 * - a rival coordinator's write is noticed by the next one here (I7): `lost`;
 * - a write whose reply was lost is found done or not by reading the head, and if it took effect
 *   late, the next write notices that, too.
 *
 * Writes run one at a time; offset commits that wait meanwhile share the next transaction. In
 * memory an offset changes when its transaction is durable, never before.
 */
import {
  GROUP_WRITES_QUEUED_MAX,
  OFFSET_BYTES_PER_TRANSACTION_MAX,
  OFFSETS_PER_TRANSACTION_MAX,
} from "../config/limits.ts";
import {
  type CommitResult,
  type Entry,
  groupHeadKey,
  groupMembersKey,
  MetadataError,
  type MetadataStore,
  offsetKey,
  offsetsPrefix,
  type Op,
  type Revision,
} from "../metadata/mod.ts";
import { type Log } from "../runtime/mod.ts";
import { changeBytes, lastChanges, split } from "./offset_batches.ts";
import { GroupOffsets, type OffsetCache, type OffsetChange, type OffsetId } from "./offsets.ts";
import { type GroupSnapshot, sealHead, sealMembers, sealOffset, unsealHead } from "./snapshot.ts";

/**
 * `unavailable`: the store could not be reached, the write may or may not be done; try again later.
 * `lost`: another coordinator has written the group; this ledger is of no more use.
 */
export type Outcome = "done" | "unavailable" | "lost";

export interface LedgerHost {
  readonly metadata: MetadataStore;
  readonly log: Log;
  readonly cache: OffsetCache;
  /** Names this coordinator instance in heads; no two instances ever share it. */
  readonly writer: string;
  /** Numbers the instance's writes. */
  nextSequence(): number;
}

interface Write {
  readonly kind: "write";
  readonly snapshot: GroupSnapshot | undefined;
  readonly changes: readonly OffsetChange[];
  readonly bytes: number;
  readonly settle: (outcome: Outcome) => void;
}

/** Runs alone, when all before it is settled. */
interface Task {
  readonly kind: "task";
  readonly run: () => Promise<void>;
  readonly settle: (outcome: Outcome) => void;
}

export class Ledger {
  readonly #queue: (Write | Task)[] = [];
  #running = false;
  #lost = false;
  /** Of the head; 0 while the group is not stored. */
  #revision: Revision;
  /** As it is stored; undefined while the group is not. */
  #stored: GroupSnapshot | undefined;
  /** The last write has an unknown outcome. */
  #inDoubt = false;
  /** So has a write that deletes the head. */
  #deletionInDoubt = false;

  constructor(
    readonly host: LedgerHost,
    readonly groupId: string,
    stored?: { readonly revision: Revision; readonly snapshot: GroupSnapshot },
  ) {
    this.#revision = stored?.revision ?? 0;
    this.#stored = stored?.snapshot;
  }

  /** The group as it is stored; undefined while it is not. */
  get stored(): GroupSnapshot | undefined {
    return this.#stored;
  }

  get busy(): boolean {
    return this.#running;
  }

  /** Whether the store may hold something of this group that is not known here. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** Stores the group. */
  save(snapshot: GroupSnapshot): Promise<Outcome> {
    return this.#write(snapshot, []);
  }

  /**
   * Stores or deletes offsets: one transaction, or several above the limits (then an outcome that
   * is not `done` may hold for a part only). `baseline` is stored with them if the group is not
   * yet.
   */
  async change(changes: readonly OffsetChange[], baseline: GroupSnapshot): Promise<Outcome> {
    const pieces = split(this.groupId, changes);
    const outcomes = await Promise.all(
      pieces.map((piece) => this.#write(this.#stored === undefined ? baseline : undefined, piece)),
    );
    return worst(outcomes);
  }

  /** The group's offsets when they are in memory. */
  cached(): GroupOffsets | undefined {
    return this.host.cache.get(this);
  }

  /**
   * The group's offsets as of now, after every write that was under way; undefined when they cannot
   * be loaded. Do not keep them.
   */
  async offsets(): Promise<GroupOffsets | undefined> {
    let loaded: GroupOffsets | undefined;
    await this.#task(async () => {
      loaded = this.cached() ?? await this.#load();
      if (loaded !== undefined) this.host.cache.put(this, loaded);
    });
    return loaded;
  }

  /**
   * Deletes the offsets that `choose` picks, with no commit in between; `left` counts the others.
   */
  async expire(
    choose: (offsets: GroupOffsets) => OffsetId[],
  ): Promise<{ outcome: Outcome; left: number }> {
    let result: { outcome: Outcome; left: number } = { outcome: "unavailable", left: 0 };
    const settled = await this.#task(async () => {
      const offsets = this.cached() ?? await this.#load();
      if (offsets === undefined) return;
      const chosen = choose(offsets);
      const left = offsets.size - chosen.length;
      for (const piece of split(this.groupId, chosen.map((id) => ({ ...id, value: undefined })))) {
        const outcome = await this.#transact(undefined, piece);
        if (outcome !== "done") return void (result = { outcome, left });
      }
      result = { outcome: "done", left };
    });
    return settled === "done" ? result : { ...result, outcome: settled };
  }

  /** Deletes the group with all its offsets; the last transaction takes the group itself. */
  async destroy(): Promise<Outcome> {
    let outcome: Outcome = "unavailable";
    const settled = await this.#task(async () => {
      outcome = await this.#destroy();
    });
    return settled === "done" ? outcome : settled;
  }

  /** Forgets what is in memory; queued writes are answered `lost`. */
  close(): void {
    this.#lost = true;
    this.host.cache.drop(this);
    for (const job of this.#queue.splice(0)) job.settle("lost");
  }

  #write(snapshot: GroupSnapshot | undefined, changes: readonly OffsetChange[]): Promise<Outcome> {
    return new Promise((settle) => {
      const bytes = changes.reduce((sum, change) => sum + changeBytes(this.groupId, change), 0);
      this.#enqueue({ kind: "write", snapshot, changes, bytes, settle });
    });
  }

  #task(run: () => Promise<void>): Promise<Outcome> {
    return new Promise((settle) => this.#enqueue({ kind: "task", run, settle }));
  }

  #enqueue(job: Write | Task): void {
    if (this.#lost) return job.settle("lost");
    if (this.#queue.length >= GROUP_WRITES_QUEUED_MAX) return job.settle("unavailable");
    this.#queue.push(job);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      if (job.kind === "task") {
        this.#queue.shift();
        await job.run();
        job.settle(this.#lost ? "lost" : "done");
      } else {
        const batch = this.#takeBatch();
        const snapshot = batch.findLast((write) => write.snapshot !== undefined)?.snapshot;
        const outcome = await this.#transact(snapshot, lastChanges(batch));
        for (const write of batch) write.settle(outcome);
      }
    }
    this.#running = false;
  }

  /** The writes at the head of the queue that fit one transaction; at least one. */
  #takeBatch(): Write[] {
    const batch: Write[] = [];
    let count = 0;
    let bytes = 0;
    for (let job = this.#queue[0]; job?.kind === "write"; job = this.#queue[0]) {
      count += job.changes.length;
      bytes += job.bytes;
      const full = count > OFFSETS_PER_TRANSACTION_MAX || bytes > OFFSET_BYTES_PER_TRANSACTION_MAX;
      if (full && batch.length > 0) break;
      batch.push(job);
      this.#queue.shift();
    }
    return batch;
  }

  /** One transaction; in memory it takes effect here, once durable. */
  async #transact(
    snapshot: GroupSnapshot | undefined,
    changes: readonly OffsetChange[],
  ): Promise<Outcome> {
    const next = snapshot ?? this.#stored;
    if (next === undefined) return "unavailable";
    const ops: Op[] = changes.map(({ topic, partition, value }) => {
      const key = offsetKey(this.groupId, topic, partition);
      return value === undefined ? { delete: key } : { put: key, value: sealOffset(value) };
    });
    if (snapshot !== undefined) {
      const key = groupMembersKey(this.groupId);
      const { members } = snapshot;
      ops.push(members.length > 0 ? { put: key, value: sealMembers(members) } : { delete: key });
    }
    const outcome = await this.#commit(next, ops);
    if (outcome !== "done") return outcome;
    this.#stored = next;
    this.host.cache.apply(this, changes);
    return "done";
  }

  /** Commits `ops` as the next write of the chain, with a head for `next`. */
  async #commit(next: GroupSnapshot, ops: readonly Op[]): Promise<Outcome> {
    const key = groupHeadKey(this.groupId);
    for (let attempt = 0; attempt < 2; attempt++) {
      const sequence = this.host.nextSequence();
      const state = next.members.length > 0 ? "Stable" : "Empty";
      const head = { groupId: this.groupId, writer: this.host.writer, sequence, snapshot: next };
      const result = await this.#try([...ops, { put: key, value: sealHead(head, state) }]);
      if (result !== undefined && result.ok) {
        this.#revision = result.revision;
        this.#inDoubt = this.#deletionInDoubt = false;
        return "done";
      }
      const found = await this.#readBack(sequence);
      if (found !== "earlier" || result === undefined) {
        return found === "earlier" ? "unavailable" : found;
      }
    }
    return "unavailable";
  }

  /** Undefined: the outcome is not known. */
  async #try(ops: readonly Op[]): Promise<CommitResult | undefined> {
    const key = groupHeadKey(this.groupId);
    try {
      return await this.host.metadata.commit({
        if: [{ key, revision: this.#revision }],
        then: ops,
      });
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      this.#warn("group could not be stored", error);
      return undefined;
    }
  }

  /**
   * What the head says of the write `sequence`; `earlier`: one of ours before it took effect late.
   */
  async #readBack(sequence: number): Promise<Outcome | "earlier"> {
    const key = groupHeadKey(this.groupId);
    let entry: Entry | undefined;
    try {
      entry = await this.host.metadata.get(key);
      if ((entry?.revision ?? 0) === this.#revision) return this.#doubt("unavailable");
      if (entry === undefined) {
        if (!this.#deletionInDoubt) return this.#lose();
        this.#revision = 0;
        this.#stored = undefined;
        return this.#doubt("unavailable");
      }
      const head = unsealHead(key, entry.value);
      if (head.writer !== this.host.writer) return this.#lose();
      this.#revision = entry.revision;
      if (head.sequence !== sequence) return this.#doubt("earlier");
      this.#inDoubt = this.#deletionInDoubt = false;
      return "done";
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      return this.#doubt("unavailable");
    }
  }

  /**
   * Offsets in memory may differ from the stored ones now: load them again when they are wanted.
   */
  #doubt<T>(outcome: T): T {
    this.#inDoubt = true;
    this.host.cache.drop(this);
    return outcome;
  }

  #lose(): Outcome {
    this.host.log.warn("another coordinator has written this group; it is dropped here", {
      group: this.groupId,
    });
    this.close();
    return "lost";
  }

  async #load(): Promise<GroupOffsets | undefined> {
    try {
      const { entries } = await this.host.metadata.list(offsetsPrefix(this.groupId));
      return GroupOffsets.fromEntries(this.groupId, entries);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      this.#warn("committed offsets could not be loaded", error);
      return undefined;
    }
  }

  async #destroy(): Promise<Outcome> {
    const offsets = await this.#load();
    if (offsets === undefined) return "unavailable";
    const gone = Array.from(offsets.entries(), (offset) => ({ ...offset, value: undefined }));
    const pieces = split(this.groupId, gone);
    const last = pieces.pop() ?? [];
    for (const piece of pieces) {
      const outcome = await this.#transact(undefined, piece);
      if (outcome !== "done") return outcome;
    }
    if (this.#revision === 0) return "done";
    this.host.cache.drop(this);
    const keys = last.map(({ topic, partition }) => offsetKey(this.groupId, topic, partition));
    keys.push(groupHeadKey(this.groupId), groupMembersKey(this.groupId));
    const result = await this.#try(keys.map((key) => ({ delete: key })));
    if (result === undefined) this.#deletionInDoubt = true;
    if (result === undefined || !result.ok) {
      const found = await this.#readBack(0);
      const deleted = this.#revision === 0;
      return deleted ? "done" : found === "lost" ? "lost" : "unavailable";
    }
    this.#revision = 0;
    this.#stored = undefined;
    return "done";
  }

  #warn(message: string, error: MetadataError): void {
    this.host.log.warn(message, { group: this.groupId, error: error.message });
  }
}

function worst(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes("lost")) return "lost";
  return outcomes.includes("unavailable") ? "unavailable" : "done";
}
