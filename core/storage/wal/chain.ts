/**
 * The commit log chain of one broker incarnation (DESIGN 1, 5): group commit, at most K uploads in
 * flight, committed strictly in slot order, fenced by whoever writes one of its slots first.
 *
 * Keeps I1 (nobody is told before the slot is committed), I3 (a foreign object in a slot fences)
 * and I5 (one result for all waiters of a slot). A slot is never given up: uploads are retried
 * until the store answers "created", "exists and ours", or "exists and not ours".
 *
 * | a commit's state | event | next |
 * |---|---|---|
 * | open | full, or due by the policy in `#due` | queued, or uploading if fewer than K are |
 * | uploading | created, or exists with our nonce | stored; committed once all before it are |
 * | uploading | exists with another nonce | fenced: it and all behind it fail |
 * | uploading | error | uploading again after a jittered back-off |
 */
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import { invariant } from "../../runtime/assert.ts";
import { sleep } from "../../runtime/sleep.ts";
import { slotKey } from "../keys.ts";
import { StoreError } from "../object_store.ts";
import { backoffMs } from "../retry.ts";
import type { ChainOptions } from "./chain_options.ts";
import { newChainStats } from "./chain_stats.ts";
import { Commit, type RowSink, type Upload, type WalObject } from "./commit.ts";
import { type BatchRow, encodeSlotFooter, type PartitionRows, WAL_HEADER_BYTES } from "./format.ts";
import { Pace } from "./pace.ts";

/** While uploads are in flight, a smaller commit waits for company (DESIGN 9). */
const COMPANY_BYTES = 1 << 20;
const COMPLAIN_EVERY_MS = 10_000;

export class WalChain {
  readonly stats = newChainStats();
  #open: Commit | undefined;
  readonly #queued: Commit[] = [];
  /** In slot order; the head commits first. */
  readonly #uploads: Upload[] = [];
  #uploading = 0;
  #nextSlot = 0;
  #lastSendMs = -Infinity;
  #uncommittedBytes = 0;
  #pumpScheduled = false;
  /** Since the last pump was scheduled. */
  #arrivedBatches = 0;
  readonly #pace: Pace;
  readonly #roomWaiters = new Set<() => void>();
  #ended: ErrorCodeValue = 0;
  readonly #stop = new AbortController();

  constructor(readonly options: ChainOptions) {
    this.#pace = new Pace(options.runtime, options.spacingMs, () => this.#pump());
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Memory of commits that are not committed yet. */
  get bufferBytes(): number {
    let bytes = this.#open?.bufferBytes ?? 0;
    for (const commit of this.#queued) bytes += commit.bufferBytes;
    for (const { commit } of this.#uploads) bytes += commit.bufferBytes;
    return bytes;
  }

  /** Commits that are full and wait for an upload to end. */
  get queuedCommits(): number {
    return this.#queued.length;
  }

  /** Commits that were sent and are not yet committed. */
  get commitsInFlight(): number {
    return this.#uploads.length;
  }

  /** Produce requests that wait for room. */
  get roomWaiters(): number {
    return this.#roomWaiters.size;
  }

  /** The slot that the next commit will take. */
  get nextSlot(): number {
    return this.#nextSlot;
  }

  /** Not 0 once the chain is fenced or closed: the code that appends are refused with. */
  get ended(): ErrorCodeValue {
    return this.#ended;
  }

  /** Whether an append may go ahead now, as far as memory goes (I9). */
  get hasRoom(): boolean {
    return this.#uncommittedBytes < this.options.uncommittedBytesMax;
  }

  /** Resolves when there may be room again, the time is up, or the chain has ended: look again. */
  room(timeoutMs: number): Promise<void> {
    if (this.hasRoom || this.#ended !== 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#roomWaiters.delete(done);
        resolve();
      };
      const timer = this.options.runtime.timers.after(timeoutMs, done);
      this.#roomWaiters.add(done);
    });
  }

  /** Lets those who wait for room look again: something else than room has changed. */
  wakeWaiters(): void {
    for (const resume of [...this.#roomWaiters]) resume();
  }

  /**
   * Copies a batch into the open commit and books `row` for `sink`, whose `position` and `length`
   * it fills in. Returns the commit whose `done` the answer depends on.
   */
  append(sink: RowSink, row: BatchRow, bytes: Uint8Array, start: number, end: number): Commit {
    invariant(this.#ended === 0, "append to a chain that has ended");
    const length = end - start;
    let commit = this.#open;
    if (commit !== undefined && commit.bytes + length > this.options.commitBytes) {
      this.#queueOpen();
      commit = undefined;
    }
    commit ??= this.#openCommit();
    row.position = commit.copyIn(bytes, start, end);
    row.length = length;
    commit.book(sink, row);
    this.#uncommittedBytes += length;
    this.#arrivedBatches++;
    this.#schedulePump();
    return commit;
  }

  /**
   * Writes the adoption record, which must be this chain's first slot; resolves when it is
   * committed.
   */
  async adopt(
    objects: readonly string[],
    partitions: readonly PartitionRows[],
    rows: number,
  ): Promise<WalObject> {
    invariant(this.#nextSlot === 0, "an adoption record is the first slot of its chain");
    const { runtime, pool } = this.options;
    const nonce = new Uint8Array(8);
    runtime.random.fill(nonce);
    const commit = new Commit(this.#nextSlot++, "adoption", nonce, pool);
    commit.rowCount = rows;
    this.#send(commit, objects, partitions);
    const code = await commit.done.promise;
    if (code !== 0 || commit.object === undefined) {
      throw new StoreError("fatal", "another broker has sealed this broker's chain");
    }
    return commit.object;
  }

  /**
   * Sends what is open and resolves when all that was appended so far is committed, or the chain
   * has ended. What is appended meanwhile isn't waited for, so a steady load can't hold it up.
   */
  async flush(): Promise<void> {
    this.#queueOpen();
    const last = this.settled();
    this.#pump();
    await last;
  }

  /** Resolves as `flush` does, without sending anything earlier than it goes by itself. */
  async settled(): Promise<void> {
    const last = this.#open ?? this.#queued.at(-1) ?? this.#uploads.at(-1)?.commit;
    await last?.done.promise;
  }

  /** Refuses appends and fails every waiter with `code`; what was sent may still be committed. */
  close(code: ErrorCodeValue = ErrorCode.NOT_LEADER_OR_FOLLOWER): void {
    if (this.#ended === 0) this.#end(code);
  }

  #openCommit(): Commit {
    const nonce = new Uint8Array(8);
    this.options.runtime.random.fill(nonce);
    const commit = new Commit(this.#nextSlot++, "data", nonce, this.options.pool);
    commit.openedMs = this.options.runtime.clock.monotonicMs();
    this.#open = commit;
    return commit;
  }

  #queueOpen(): void {
    if (this.#open === undefined) return;
    this.#queued.push(this.#open);
    this.#open = undefined;
  }

  /** Once per turn of the event loop, so that all that arrived in it shares a commit. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    this.options.runtime.timers.soon(() => {
      this.#pumpScheduled = false;
      if (this.#open !== undefined) this.#pace.arrived(this.#open.slot, this.#arrivedBatches);
      this.#arrivedBatches = 0;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#ended === 0 && this.#uploading < this.options.parallel) {
      if (this.#queued.length === 0 && this.#due()) this.#queueOpen();
      const commit = this.#queued.shift();
      if (commit === undefined) return;
      this.#send(commit, [], commit.partitionRows());
    }
  }

  /** The commit policy of DESIGN 5 and 9: whether the open commit goes now. */
  #due(): boolean {
    const commit = this.#open;
    if (commit === undefined) return false;
    if (commit.bytes >= this.options.commitBytes) return true;
    // While uploads are in flight: the end of the last one asks again.
    const small = commit.bytes < COMPANY_BYTES;
    return (this.#uploading === 0 || !small) && this.#pace.due(commit.bytes, small);
  }

  #send(commit: Commit, objects: readonly string[], partitions: readonly PartitionRows[]): void {
    const { runtime, brokerId, brokerEpoch } = this.options;
    const header = commit.sealHeader();
    const createdMs = runtime.clock.wallMs();
    const footer = encodeSlotFooter(header, {
      kind: commit.kind,
      brokerId,
      brokerEpoch,
      slot: commit.slot,
      createdMs,
      objects,
      partitions,
      metadata: this.options.metadataMark(),
    });
    const size = commit.bytes + footer.length;
    const upload: Upload = { commit, state: "uploading", size, createdMs, uploadMs: 0 };
    this.#uploads.push(upload);
    this.#uploading++;
    const nowMs = runtime.clock.monotonicMs();
    if (this.#lastSendMs >= 0) this.stats.spacingMs.observe(nowMs - this.#lastSendMs);
    this.#lastSendMs = nowMs;
    this.#pace.sent(commit.bytes);
    void this.#upload(upload, commit.partsWith(footer));
  }

  async #upload(upload: Upload, body: Uint8Array[]): Promise<void> {
    const { runtime, store } = this.options;
    const key = this.#key(upload.commit.slot);
    const started = runtime.clock.monotonicMs();
    let complainedMs = started;
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      try {
        const { signal } = this.#stop;
        const outcome = await store.putIfAbsent(key, body, { signal, attempt, transient: true });
        const found = outcome === "created" || await this.#isOurs(key, upload.commit.nonce);
        // Gone again (somebody swept it): nobody's, so it is written once more.
        if (found === undefined) continue;
        upload.state = found ? "stored" : "fenced";
        upload.uploadMs = runtime.clock.monotonicMs() - started;
        this.stats.uploadMs.observe(upload.uploadMs);
        break;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.stats.retries++;
        const now = runtime.clock.monotonicMs();
        if (attempt === 0 || now - complainedMs >= COMPLAIN_EVERY_MS) {
          complainedMs = now;
          runtime.log.warn("commit waits for the store; producers are held back until it answers", {
            key,
            attempt,
            error: error.message,
          });
        }
        await sleep(runtime.timers, backoffMs(runtime, attempt), this.#stop.signal);
      }
    }
    this.#uploading--;
    if (upload.state !== "uploading") this.#settle();
    this.#pump();
  }

  /**
   * Whether the object in our slot carries our nonce: an earlier attempt of ours took effect.
   * Undefined where there is no object any more.
   */
  async #isOurs(key: string, nonce: Uint8Array): Promise<boolean | undefined> {
    const header = await this.options.store.get(
      key,
      { start: 0, end: WAL_HEADER_BYTES },
      { signal: this.#stop.signal },
    );
    if (header === undefined) return undefined;
    // By position and not decoded: whatever it is, it is in our slot and not ours.
    const found = header.subarray(WAL_HEADER_BYTES - nonce.length);
    return header.length === WAL_HEADER_BYTES && found.every((byte, at) => byte === nonce[at]);
  }

  /** Commits what is stored, in slot order; a fenced slot ends the chain. */
  #settle(): void {
    while (this.#uploads.length > 0 && this.#ended === 0) {
      const head = this.#uploads[0]!;
      if (head.state === "uploading") return;
      if (head.state === "fenced") {
        this.options.runtime.log.error(
          "another broker has sealed this broker's chain; stepping down",
          {
            brokerId: this.options.brokerId,
            brokerEpoch: this.options.brokerEpoch,
            slot: head.commit.slot,
          },
        );
        this.#end(ErrorCode.NOT_LEADER_OR_FOLLOWER);
        this.options.onFenced();
        return;
      }
      this.#uploads.shift();
      this.#committed(head);
    }
  }

  #committed({ commit, size, createdMs, uploadMs }: Upload): void {
    const object: WalObject = {
      key: this.#key(commit.slot),
      size,
      chainEpoch: this.options.brokerEpoch,
      slot: commit.slot,
      createdMs,
      live: commit.rowCount,
    };
    commit.object = object;
    this.stats.commits++;
    this.stats.committedBytes += size;
    this.stats.committedRows += commit.rowCount;
    if (commit.kind === "data") {
      this.stats.commitBytes.observe(size);
      this.stats.commitMs.observe(this.options.runtime.clock.monotonicMs() - commit.openedMs);
    }
    this.options.onCommitted(object, commit);
    for (const [sink, rows] of commit.rows) {
      sink.committed(rows, object);
      for (const row of rows) this.#uncommittedBytes -= row.length;
    }
    this.#pace.answered(commit.rowCount, uploadMs);
    commit.done.resolve(0);
    this.#wakeRoom();
  }

  #end(code: ErrorCodeValue): void {
    this.#ended = code;
    this.#pace.stop();
    const rest = [...this.#uploads.map((upload) => upload.commit), ...this.#queued];
    if (this.#open !== undefined) rest.push(this.#open);
    this.#uploads.length = 0;
    this.#queued.length = 0;
    this.#open = undefined;
    for (const commit of rest) commit.fail(code);
    this.#wakeRoom();
    // Uploads behind a fence would be tried again for ever.
    this.#stop.abort();
  }

  #wakeRoom(): void {
    if (this.hasRoom || this.#ended !== 0) this.wakeWaiters();
  }

  #key(slot: number): string {
    const { namespace, brokerId, brokerEpoch } = this.options;
    return slotKey(namespace, brokerId, brokerEpoch, slot);
  }
}
