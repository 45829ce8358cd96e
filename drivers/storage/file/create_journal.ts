/**
 * Group commit of small creates. A new file and its name cost the file system several writes and
 * syncs of its own; an overwrite of a file that exists costs one write and one flush. So a small
 * object is a synced record in one of some journals, and is read from there, until a checkpoint
 * makes a file of it and the journal empty. What is deleted before that never becomes a file, so a
 * checkpoint comes as late as it can: once all journals are full, or nothing is left in the oldest.
 *
 * Invariant: the last record of a key in the journals is the truth about it. So an object that the
 * journals hold is deleted or replaced after a record that says so, and no earlier record outlives
 * a later one: the oldest journal is cleaned first.
 */
import { deferred } from "../../../core/runtime/mod.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { forEachAtOnce } from "./at_once.ts";
import { heldBody, type Live } from "./held.ts";
import { JournalFile, type OpenJournal } from "./journal_file.ts";
import { bodyOf, draftRecord, RecordKind, RECORDS_START, stampRecord } from "./journal_format.ts";
import {
  CHECKPOINT_FILES_AT_ONCE,
  CLOSING_FILES_AT_ONCE,
  CLOSING_OBJECTS_MAX,
  JOURNAL_GROUP_BYTES,
  JOURNAL_NAMES,
  JOURNAL_RESERVE_PART,
} from "./settings.ts";

/** What a checkpoint asks of the driver. */
export interface CheckpointHost {
  /** Runs `step` while no write of the key is under way. */
  locked(key: string, step: () => Promise<void>): Promise<void>;
  /** Makes a synced file of the object; returns its folder, whose sync is still to come. */
  writeFile(key: string, body: Uint8Array): Promise<string>;
  /** Makes the names in a folder durable; one that is gone has none. */
  syncFolder(path: string): Promise<void>;
  /** Removes the object's file, durably. */
  remove(key: string): Promise<void>;
}

export interface JournalSetup {
  readonly dir: string;
  /** Of each journal that is made. */
  readonly bytes: number;
  readonly open: OpenJournal;
}

/** What the journals held when the store opened. */
export interface Replayed {
  /** Oldest first, then those without records. */
  readonly files: readonly JournalFile[];
  readonly live: Map<string, Live>;
  readonly sequence: number;
}

interface Queued {
  readonly file: JournalFile;
  readonly start: number;
  readonly record: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
}

const NOTHING = { size: 0, body: undefined, start: 0, end: 0 } as const;

export class CreateJournal {
  readonly #setup: JournalSetup;
  readonly #host: CheckpointHost;
  readonly #files: JournalFile[];
  /** The latest record of each key, if it is no release. */
  readonly #live: Map<string, Live>;
  #sequence: number;
  #active: JournalFile | undefined;
  /** Before the active one, oldest first; to be checkpointed. */
  readonly #full: JournalFile[];
  #queue: Queued[] = [];
  #writing: Promise<void> | undefined;
  #group: Promise<void> | undefined;
  #making: Promise<void> | undefined;
  /** How many there may be; fewer where the disk has no room for another one. */
  #filesMax = JOURNAL_NAMES.length;
  #checkpointing: Promise<void> | undefined;
  /** No more creates, nor checkpoints, after something failed: the next start sorts it out. */
  #stopped = false;
  #closing = false;

  constructor(setup: JournalSetup, host: CheckpointHost, replayed: Replayed) {
    this.#setup = setup;
    this.#host = host;
    this.#files = [...replayed.files];
    this.#live = replayed.live;
    this.#sequence = replayed.sequence;
    const used = replayed.files.filter((file) => !file.empty);
    this.#full = used.slice(0, -1);
    this.#active = used.at(-1) ?? replayed.files[0];
    this.#forgetBodies(...this.#full);
  }

  /** Keys with records that a start would replay. */
  get size(): number {
    return this.#live.size;
  }

  /** Bytes of records whose objects are in memory; those that are gone since are among them. */
  get heldBytes(): number {
    return this.#active === undefined ? 0 : this.#active.end - RECORDS_START;
  }

  /** Settles when the group that is being written is durable; undefined: there is none. */
  get underWay(): Promise<void> | undefined {
    return this.#group;
  }

  /** The object, if a journal holds it; ask with the key locked. */
  body(key: string): Promise<Uint8Array> {
    return heldBody(this.#live, key);
  }

  /** What the journals hold of the key; ask with the key locked. */
  live(key: string): Live | undefined {
    return this.#live.get(key);
  }

  /** Whether a create that needs so many bytes of a journal could go through it now. */
  accepts(bytes: number): boolean {
    return this.#fileFor(bytes, true) !== undefined;
  }

  /** Whether the object exists, and the journals hold it. */
  holds(key: string): boolean {
    return this.#live.get(key)?.state === "held";
  }

  /**
   * Resolves when the drafted put record is durable, and the object there; undefined: there is no
   * room, go without.
   */
  put(key: string, record: Uint8Array): Promise<void> | undefined {
    const file = this.#fileFor(record.length, true);
    if (file === undefined) return undefined;
    const body = bodyOf(record);
    const live: Live = {
      ...{ file, state: "unsure", size: body.length, body, onDisk: false },
      ...{ start: file.end, end: file.end + record.length },
    };
    this.#live.set(key, live);
    return this.#append(file, record).then(() => {
      live.state = "held";
      if (file !== this.#active) live.body = undefined;
    });
  }

  /** Records that the keys' objects are about to be removed. Before that returns, remove none. */
  async markDeleting(keys: readonly string[]): Promise<void> {
    const marks = await Promise.allSettled(keys.map(async (key) => {
      const { file, done } = this.#appendMark(RecordKind.deleted, key);
      const live: Live = { ...NOTHING, file, state: "unsure", onDisk: true };
      this.#live.set(key, live);
      await done;
      live.state = "deleting";
    }));
    for (const mark of marks) if (mark.status === "rejected") throw mark.reason;
  }

  /** Records that the file of the key's name, or its absence, is durable without the journal. */
  async release(key: string): Promise<void> {
    await this.#appendMark(RecordKind.released, key).done;
    this.#live.delete(key);
  }

  /** Waits for a running checkpoint if only that can make room for so many records of deletions. */
  async roomForMarks(bytes: number): Promise<void> {
    if (this.#active === undefined || this.#active.end + bytes <= this.#active.size) return;
    if (this.#empty !== undefined) return;
    this.#startCheckpoint();
    await this.#checkpointing;
  }

  /**
   * Makes files of what is left, unless that is much or something failed: the next start has it
   * from the journals. No calls may be under way.
   */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#making;
    await this.#writing;
    await this.#checkpointing;
    const few = this.#live.size <= CLOSING_OBJECTS_MAX;
    for (const file of few ? [...this.#full, this.#active] : []) {
      if (file === undefined || file.empty || this.#stopped) continue;
      await this.#checkpoint(file, CLOSING_FILES_AT_ONCE).catch(() => this.#stopped = true);
    }
    for (const file of this.#files) file.handle.close();
  }

  #appendMark(kind: 2 | 3, key: string): { file: JournalFile; done: Promise<void> } {
    const record = draftRecord(kind, key, []);
    const file = this.#fileFor(record.length, false);
    if (file !== undefined) return { file, done: this.#append(file, record) };
    if (this.#stopped) {
      throw new StoreError("fatal", `change ${key}: a create journal failed, restart the broker`);
    }
    throw new StoreError("throttled", `change ${key}: the create journals are full; try again`);
  }

  /** The journal for a record; creates leave room for the deletions of what they create. */
  #fileFor(bytes: number, create: boolean): JournalFile | undefined {
    if (create && (this.#stopped || this.#closing)) return undefined;
    const active = this.#active;
    if (active === undefined) {
      this.#make();
      return undefined;
    }
    const reserve = create ? Math.floor(active.size / JOURNAL_RESERVE_PART) : 0;
    if (active.end * 2 > active.size) this.#prepareNext();
    if (!active.failed && active.end + bytes + reserve <= active.size) return active;
    const next = this.#empty;
    if (next === undefined || next.failed) return undefined;
    if (next.end + bytes + Math.floor(next.size / JOURNAL_RESERVE_PART) > next.size) {
      return undefined;
    }
    this.#full.push(active);
    this.#forgetBodies(active);
    this.#active = next;
    return next;
  }

  /** One without records, to go on with. */
  get #empty(): JournalFile | undefined {
    return this.#files.find((file) => file !== this.#active && !this.#full.includes(file));
  }

  /** Halfway through a journal, another one has to get ready. */
  #prepareNext(): void {
    if (this.#empty ?? this.#making ?? this.#checkpointing) return;
    const [oldest] = this.#full;
    const mayMake = this.#files.length < this.#filesMax;
    if (mayMake && (oldest === undefined || this.#holds(oldest))) this.#make();
    else this.#startCheckpoint();
  }

  /** What these hold is read from the disk from now on. */
  #forgetBodies(...journals: readonly JournalFile[]): void {
    for (const live of this.#live.values()) {
      if (live.state === "held" && journals.includes(live.file)) live.body = undefined;
    }
  }

  /** Whether a checkpoint would have to make files, or to remove some. */
  #holds(journal: JournalFile): boolean {
    for (const { file, state } of this.#live.values()) {
      if (file === journal && state !== "deleted") return true;
    }
    return false;
  }

  #make(): void {
    if (this.#making !== undefined || this.#stopped || this.#closing) return;
    if (this.#files.length >= this.#filesMax) return;
    const name = JOURNAL_NAMES.find((name) =>
      !this.#files.some((file) => file.path.endsWith(`/${name}`))
    );
    const make = async () => {
      const { dir, bytes, open } = this.#setup;
      const file = await JournalFile.make(`${dir}/${name}`, bytes, open, () => !this.#closing);
      this.#files.push(file);
      this.#active ??= file;
    };
    this.#making = make().catch(() => {
      // A disk without room for another one: this process does without.
      this.#filesMax = this.#files.length;
    }).finally(() => this.#making = undefined);
  }

  #append(file: JournalFile, record: Uint8Array): Promise<void> {
    stampRecord(record, file.generation, ++this.#sequence);
    const done = deferred<void>();
    this.#queue.push({ file, start: file.end, record, done: done as PromiseWithResolvers<void> });
    file.end += record.length;
    this.#writing ??= this.#drain();
    return done.promise;
  }

  /** One group after the other; the records that gather during a sync share the next one. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      const { file, start } = group[0]!;
      try {
        if (file.failed) throw new StoreError("fatal", `the create journal ${file.path} failed`);
        const written = file.append(start, group.map((queued) => queued.record));
        this.#group = written.catch(() => {});
        await written;
        for (const { done } of group) done.resolve();
      } catch (error) {
        this.#stopped = true;
        for (const { done } of group) done.reject(error);
      }
    }
    this.#writing = undefined;
    this.#group = undefined;
  }

  #takeGroup(): Queued[] {
    const file = this.#queue[0]!.file;
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queue) {
      if (queued.file !== file) break;
      if (count > 0 && bytes + queued.record.length > JOURNAL_GROUP_BYTES) break;
      bytes += queued.record.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #startCheckpoint(): void {
    const [file] = this.#full;
    if (file === undefined || this.#checkpointing !== undefined) return;
    if (this.#stopped || this.#closing) return;
    this.#checkpointing = this.#checkpoint(file, CHECKPOINT_FILES_AT_ONCE)
      .then((clean) => {
        if (clean) this.#full.shift();
      }, () => {
        this.#stopped = true;
      })
      .finally(() => this.#checkpointing = undefined);
  }

  /**
   * Makes what the journal holds durable without it, then the journal empty. False: not all of it,
   * since the store is closing.
   */
  async #checkpoint(file: JournalFile, atOnce: number): Promise<boolean> {
    const gaveWay = () => this.#closing && atOnce === CHECKPOINT_FILES_AT_ONCE;
    const keys: string[] = [];
    for (const [key, live] of this.#live) if (live.file === file) keys.push(key);
    const folders = new Set<string>();
    await forEachAtOnce(
      keys,
      atOnce,
      (key) =>
        gaveWay() ? Promise.resolve() : this.#host.locked(key, async () => {
          const live = this.#live.get(key);
          if (live?.file !== file) return;
          if (live.state === "deleting") {
            await this.#host.remove(key);
            live.state = "deleted";
          } else if (live.state === "held") {
            live.onDisk = true;
            folders.add(await this.#host.writeFile(key, await heldBody(this.#live, key)));
          }
        }),
    );
    await forEachAtOnce([...folders], atOnce, (folder) => this.#host.syncFolder(folder));
    if (this.#stopped || gaveWay()) return false;
    await file.clean();
    for (const key of keys) if (this.#live.get(key)?.file === file) this.#live.delete(key);
    return true;
  }
}
