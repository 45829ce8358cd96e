/**
 * The consumer groups of this broker: the one door that handlers use. It finds the group, lets it
 * decide (classic/), and keeps what must survive in the group's ledger.
 */
import {
  GROUP_LOAD_RETRY_MAX_MS,
  GROUP_LOAD_RETRY_MIN_MS,
  OFFSET_CACHE_BYTES_MAX,
} from "../config/limits.ts";
import { MetadataError, type MetadataStore } from "../metadata/mod.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import { type Runtime, sleep } from "../runtime/mod.ts";
import { ClassicGroup, type GroupHost } from "./classic/group.ts";
import { join } from "./classic/join.ts";
import { randomUuid } from "./classic/member_id.ts";
import * as membership from "./classic/membership.ts";
import { joinError, leaveOfStrangers, syncError } from "./classic/replies.ts";
import { sync } from "./classic/sync.ts";
import { Expiry } from "./expiry.ts";
import type { GroupSettings, GroupTopics } from "./group_settings.ts";
import { Ledger, type LedgerHost, type Outcome } from "./ledger.ts";
import { type GroupEntry, OffsetRequests } from "./offset_requests.ts";
import { OffsetCache } from "./offsets.ts";
import * as requests from "./requests.ts";
import type { GroupSnapshot } from "./snapshot.ts";
import { readGroup, readGroups, type StoredGroup } from "./stored_groups.ts";
import { describe, listed, missing } from "./descriptions.ts";
import { shardOf, Shards } from "./shards.ts";
import { GroupUsage } from "./usage.ts";

export interface GroupCoordinatorOptions {
  readonly runtime: Runtime;
  readonly metadata: MetadataStore;
  readonly topics: GroupTopics;
  readonly settings: GroupSettings;
  /** Several brokers share the groups: only those of shards that `shards` was given are served. */
  readonly sharded?: boolean;
}

export class GroupCoordinator {
  readonly usage = new GroupUsage();
  /** Undefined: every group is this broker's. */
  readonly shards: Shards | undefined;
  readonly #runtime: Runtime;
  readonly #metadata: MetadataStore;
  readonly #settings: GroupSettings;
  readonly #groups = new Map<string, GroupEntry>();
  /** Groups that were dropped and may be stored; each is read again when it is wanted. */
  readonly #dropped = new Set<string>();
  readonly #reading = new Map<string, Promise<ErrorCodeValue>>();
  readonly #groupHost: GroupHost;
  readonly #ledgerHost: LedgerHost;
  readonly #offsets: OffsetRequests;
  readonly #expiry: Expiry;
  readonly #stopped = new AbortController();
  /** What everything is answered with while groups cannot be served. */
  #closedWith: ErrorCodeValue = ErrorCode.COORDINATOR_NOT_AVAILABLE;
  #sequence = 0;

  constructor({ runtime, metadata, topics, settings, sharded }: GroupCoordinatorOptions) {
    this.shards = sharded !== true ? undefined : new Shards({
      load: () => this.#load(),
      restore: (group) => this.#restore(group),
      drop: (shard) => this.#dropShard(shard),
    });
    this.#runtime = runtime;
    this.#metadata = metadata;
    this.#settings = settings;
    this.#groupHost = {
      runtime,
      settings,
      usage: this.usage,
      save: (group, snapshot) => this.#save(group, snapshot),
      abandoned: (group) => this.#forget(group),
    };
    this.#ledgerHost = {
      metadata,
      log: runtime.log,
      cache: new OffsetCache(OFFSET_CACHE_BYTES_MAX),
      writer: randomUuid(runtime.random),
      nextSequence: () => ++this.#sequence,
    };
    this.#offsets = new OffsetRequests({ runtime, topics, settings });
    this.#expiry = new Expiry({
      runtime,
      settings,
      topics,
      groups: () => this.#groups.values(),
      save: (entry) => this.#settle(entry, entry.ledger.save(entry.group.snapshot())),
      destroy: (entry) => this.#destroy(entry),
      lost: (entry) => this.#drop(entry, ErrorCode.NOT_COORDINATOR),
    });
  }

  /**
   * Loads the stored groups; until then requests are answered COORDINATOR_LOAD_IN_PROGRESS. While
   * the metadata store is away it tries again; it resolves once loaded, or stopped.
   */
  async start(): Promise<void> {
    if (this.shards === undefined) {
      this.#closedWith = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
      const stored = await this.#load();
      if (this.#stopped.signal.aborted) return;
      for (const group of stored) this.#restore(group);
      this.#runtime.log.info("groups loaded", { groups: stored.length });
    }
    this.#closedWith = ErrorCode.NONE;
    this.#expiry.start();
  }

  /** Answers everything that is parked with NOT_COORDINATOR and stops all timers. */
  async stop(): Promise<void> {
    this.#closedWith = ErrorCode.NOT_COORDINATOR;
    this.#stopped.abort();
    await this.shards?.idle();
    this.#expiry.stop();
    for (const entry of [...this.#groups.values()]) this.#drop(entry, ErrorCode.NOT_COORDINATOR);
    this.#dropped.clear();
  }

  async join(request: requests.JoinRequest): Promise<requests.JoinReply> {
    const { groupId, memberId } = request;
    if (groupId === "") return joinError(ErrorCode.INVALID_GROUP_ID, memberId);
    const { groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs } = this.#settings;
    if (
      request.sessionTimeoutMs < groupMinSessionTimeoutMs ||
      request.sessionTimeoutMs > groupMaxSessionTimeoutMs
    ) return joinError(ErrorCode.INVALID_SESSION_TIMEOUT, memberId);
    const entry = await this.#find(groupId);
    if (typeof entry === "number") return joinError(entry, memberId);
    if (entry === undefined && memberId !== "") {
      return joinError(ErrorCode.UNKNOWN_MEMBER_ID, memberId);
    }
    const group = (entry ?? this.#obtain(groupId))?.group;
    if (group === undefined) return joinError(ErrorCode.GROUP_MAX_SIZE_REACHED, "");
    return await new Promise((answer) => {
      join(group, request, answer);
      group.reportIfAbandoned();
    });
  }

  async sync(request: requests.SyncRequest): Promise<requests.SyncReply> {
    const { groupId } = request;
    if (groupId === "") return syncError(ErrorCode.INVALID_GROUP_ID);
    const entry = await this.#find(groupId);
    if (typeof entry === "number") return syncError(entry);
    if (entry === undefined) return syncError(ErrorCode.UNKNOWN_MEMBER_ID);
    return await new Promise((answer) => sync(entry.group, request, answer));
  }

  /** While groups are loading a heartbeat is fine: nobody should lose its place for a restart. */
  async heartbeat(request: requests.HeartbeatRequest): Promise<ErrorCodeValue> {
    if (request.groupId === "") return ErrorCode.INVALID_GROUP_ID;
    const entry = this.entry(request.groupId) ?? await this.#find(request.groupId);
    if (entry === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) return ErrorCode.NONE;
    if (typeof entry === "number") return entry;
    if (entry === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    return membership.heartbeat(entry.group, request);
  }

  async leave(
    groupId: string,
    members: readonly requests.LeavingMember[],
  ): Promise<requests.LeaveReply> {
    if (groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID, members: [] };
    const entry = await this.#find(groupId);
    if (typeof entry === "number") return { errorCode: entry, members: [] };
    if (entry !== undefined) return membership.leave(entry.group, members);
    return leaveOfStrangers(members);
  }

  describe(groupIds: readonly string[]): Promise<requests.DescribedGroup[]> {
    return Promise.all(groupIds.map(async (groupId) => {
      const entry = await this.#find(groupId);
      if (entry === undefined) return missing(groupId, ErrorCode.GROUP_ID_NOT_FOUND);
      return typeof entry === "number" ? missing(groupId, entry) : describe(entry.group);
    }));
  }

  /** Empty filters let everything through; both go without regard to case. */
  list(
    states: readonly string[],
    types: readonly string[],
  ): { errorCode: ErrorCodeValue; groups: requests.ListedGroup[] } {
    if (this.#closedWith !== ErrorCode.NONE) return { errorCode: this.#closedWith, groups: [] };
    const wanted = new Set(states.map((state) => state.toLowerCase()));
    const classic = types.length === 0 || types.some((type) => type.toLowerCase() === "classic");
    const groups: requests.ListedGroup[] = [];
    for (const { group } of classic ? this.#groups.values() : []) {
      if (wanted.size === 0 || wanted.has(group.state.toLowerCase())) groups.push(listed(group));
    }
    return { errorCode: ErrorCode.NONE, groups };
  }

  /** Every group with its stored side; undefined while groups are not served. */
  get entries(): Iterable<GroupEntry> | undefined {
    return this.#closedWith === ErrorCode.NONE ? this.#groups.values() : undefined;
  }

  /** Each group's outcome, in order. */
  deleteGroups(groupIds: readonly string[]): Promise<ErrorCodeValue[]> {
    return Promise.all(groupIds.map(async (groupId) => {
      const entry = await this.#find(groupId);
      if (typeof entry === "number") return entry;
      if (entry === undefined) return ErrorCode.GROUP_ID_NOT_FOUND;
      const refused = membership.admitDelete(entry.group);
      return refused === ErrorCode.NONE ? await this.#destroy(entry) : refused;
    }));
  }

  async commitOffsets(request: requests.OffsetCommit): Promise<requests.TopicResult[]> {
    const checked = this.#offsets.check(request);
    if (checked.changes.length === 0) return checked.results();
    const { groupId, generationId } = request;
    const entry = await this.#find(groupId);
    if (typeof entry === "number") return checked.results(entry);
    if (entry === undefined && generationId >= 0) return checked.results(request.missingGroupError);
    const present = entry ?? this.#obtain(groupId);
    if (present === undefined) return checked.results(ErrorCode.POLICY_VIOLATION);
    const refused = membership.admitCommit(present.group, request);
    if (refused !== ErrorCode.NONE) return checked.results(refused);
    const outcome = this.#offsets.commit(present, checked.changes);
    const errorCode = await this.#settle(present, outcome);
    if (errorCode !== ErrorCode.NONE) present.group.reportIfAbandoned();
    return checked.results(errorCode);
  }

  async fetchOffsets(request: requests.OffsetFetch): Promise<requests.OffsetFetchReply> {
    const entry = await this.#find(request.groupId);
    if (typeof entry === "number") {
      // consumers before 3.9 know only NOT_COORDINATOR as a reason to look the coordinator up again
      const loading = entry === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
      return { errorCode: loading ? entry : ErrorCode.NOT_COORDINATOR, topics: [] };
    }
    return await this.#offsets.fetch(entry, request);
  }

  async deleteOffsets(request: requests.OffsetDelete): Promise<requests.OffsetDeleteReply> {
    const failed = (errorCode: ErrorCodeValue) => ({ errorCode, topics: [] });
    if (request.groupId === "") return failed(ErrorCode.INVALID_GROUP_ID);
    const entry = await this.#find(request.groupId);
    if (typeof entry === "number") return failed(entry);
    if (entry === undefined) return failed(ErrorCode.GROUP_ID_NOT_FOUND);
    const refused = membership.admitOffsetDelete(entry.group);
    if (refused !== ErrorCode.NONE) return failed(refused);
    const { changes, topics } = this.#offsets.checkDelete(entry.group, request);
    if (changes.length === 0) return { errorCode: ErrorCode.NONE, topics };
    const errorCode = await this.#settle(entry, this.#offsets.commit(entry, changes));
    return errorCode === ErrorCode.NONE ? { errorCode, topics } : failed(errorCode);
  }

  /** The group when it can be used at once. */
  entry(groupId: string): GroupEntry | undefined {
    return this.#refusal(groupId) === ErrorCode.NONE ? this.#groups.get(groupId) : undefined;
  }

  /** Why nothing can be said about the group here and now; NONE: it can. */
  #refusal(groupId: string): ErrorCodeValue {
    if (this.#closedWith !== ErrorCode.NONE) return this.#closedWith;
    return this.shards?.refusal(groupId) ?? ErrorCode.NONE;
  }

  /** The group, undefined when there is none, or why that cannot be said now. */
  async #find(groupId: string): Promise<GroupEntry | undefined | ErrorCodeValue> {
    const refusal = this.#refusal(groupId);
    if (refusal !== ErrorCode.NONE) return refusal;
    if (this.#dropped.has(groupId)) {
      const failed = await this.#readAgain(groupId);
      if (failed !== ErrorCode.NONE) return failed;
    }
    return this.#groups.get(groupId);
  }

  /** The group, made if need be; undefined when there is no room for another. */
  #obtain(groupId: string): GroupEntry | undefined {
    const present = this.#groups.get(groupId);
    if (present !== undefined) return present;
    if (!this.usage.hasRoomForGroup(this.#dropped.size)) return undefined;
    const group = new ClassicGroup(this.#groupHost, groupId);
    const entry = { group, ledger: new Ledger(this.#ledgerHost, groupId) };
    this.#groups.set(groupId, entry);
    return entry;
  }

  #restore({ groupId, revision, snapshot }: StoredGroup): void {
    const ledger = new Ledger(this.#ledgerHost, groupId, { revision, snapshot });
    const group = ClassicGroup.restore(this.#groupHost, groupId, snapshot);
    this.#groups.set(groupId, { group, ledger });
  }

  #dropShard(shard: number): void {
    for (const entry of [...this.#groups.values()]) {
      if (shardOf(entry.group.groupId) === shard) this.#drop(entry, ErrorCode.NOT_COORDINATOR);
    }
    for (const groupId of this.#dropped) {
      if (shardOf(groupId) === shard) this.#dropped.delete(groupId);
    }
  }

  async #load(): Promise<StoredGroup[]> {
    const { signal } = this.#stopped;
    let pauseMs = GROUP_LOAD_RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        return await readGroups(this.#metadata, this.#runtime.log);
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        this.#runtime.log.warn("groups cannot be loaded; trying again", { error: error.message });
      }
      await sleep(this.#runtime.timers, pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, GROUP_LOAD_RETRY_MAX_MS);
    }
    return [];
  }

  /** One read at a time for each group; whoever wants it waits for the same. */
  #readAgain(groupId: string): Promise<ErrorCodeValue> {
    const running = this.#reading.get(groupId);
    if (running !== undefined) return running;
    const read = this.#read(groupId).finally(() => this.#reading.delete(groupId));
    this.#reading.set(groupId, read);
    return read;
  }

  async #read(groupId: string): Promise<ErrorCodeValue> {
    try {
      const stored = await readGroup(this.#metadata, groupId);
      const refusal = this.#refusal(groupId);
      if (refusal !== ErrorCode.NONE) return refusal;
      this.#dropped.delete(groupId);
      if (stored !== undefined && !this.#groups.has(groupId)) this.#restore(stored);
      return ErrorCode.NONE;
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    }
  }

  async #save(group: ClassicGroup, snapshot: GroupSnapshot): Promise<ErrorCodeValue> {
    const entry = this.#groups.get(group.groupId);
    if (entry?.group !== group) return ErrorCode.NOT_COORDINATOR;
    const { stored, busy } = entry.ledger;
    // a group that was never stored and is empty again needs no record
    if (stored === undefined && !busy && snapshot.members.length === 0) return ErrorCode.NONE;
    return await this.#settle(entry, entry.ledger.save(snapshot));
  }

  /** The code for a ledger's outcome; a group that another coordinator took is dropped. */
  async #settle(entry: GroupEntry, outcome: Promise<Outcome>): Promise<ErrorCodeValue> {
    switch (await outcome) {
      case "done":
        return ErrorCode.NONE;
      case "unavailable":
        return ErrorCode.COORDINATOR_NOT_AVAILABLE;
      case "lost":
        this.#drop(entry, ErrorCode.NOT_COORDINATOR);
        return ErrorCode.NOT_COORDINATOR;
    }
  }

  /** Deletes an empty group; until that is durable the group is Dead. */
  async #destroy(entry: GroupEntry): Promise<ErrorCodeValue> {
    entry.group.die(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    const outcome = await entry.ledger.destroy();
    if (outcome !== "done") this.#drop(entry, ErrorCode.COORDINATOR_NOT_AVAILABLE);
    else if (this.#groups.get(entry.group.groupId) === entry) {
      entry.ledger.close();
      this.#groups.delete(entry.group.groupId);
      this.#runtime.log.info("group deleted", { group: entry.group.groupId });
    }
    return await this.#settle(entry, Promise.resolve(outcome));
  }

  /** Drops a group from memory; it is read again when somebody wants it. */
  #drop(entry: GroupEntry, errorCode: ErrorCodeValue): void {
    const { groupId } = entry.group;
    entry.ledger.close();
    entry.group.die(errorCode);
    if (this.#groups.get(groupId) !== entry) return;
    this.#groups.delete(groupId);
    this.#dropped.add(groupId);
  }

  /** A group that nobody is in and that was never stored leaves no trace. */
  #forget(group: ClassicGroup): void {
    const entry = this.#groups.get(group.groupId);
    if (entry?.group !== group || group.state !== "Empty") return;
    if (entry.ledger.stored !== undefined || entry.ledger.busy) return;
    if (entry.ledger.inDoubt) return this.#drop(entry, ErrorCode.COORDINATOR_NOT_AVAILABLE);
    this.#groups.delete(group.groupId);
    entry.ledger.close();
    group.die(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  }
}
