/** A coordinator on a manual clock and the memory store, with clients that do what Kafka's do. */
import { GroupCoordinator, type GroupSettings } from "../../core/groups/mod.ts";
import type { JoinReply, JoinRequest, SyncReply, SyncRequest } from "../../core/groups/requests.ts";
import type { GroupTopic } from "../../core/groups/group_settings.ts";
import { ErrorCode, type ErrorCodeValue } from "../../core/protocol/errors.ts";
import { type MemoryFaults, MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { type ManualRuntime, manualRuntime } from "../runtime/manual_runtime.ts";

export const SETTINGS: GroupSettings = {
  groupInitialRebalanceDelayMs: 3_000,
  groupMinSessionTimeoutMs: 6_000,
  groupMaxSessionTimeoutMs: 1_800_000,
  groupMaxSize: 10_000,
  offsetsRetentionMinutes: 10_080,
  offsetsRetentionCheckIntervalMs: 600_000,
  offsetMetadataMaxBytes: 4_096,
};

export class Topics {
  readonly #topics = new Map<string, GroupTopic>();

  set(name: string, partitionCount: number, id = `id-of-${name}`): void {
    this.#topics.set(name, { id, name, partitionCount });
  }

  delete(name: string): void {
    this.#topics.delete(name);
  }

  byName(name: string): GroupTopic | undefined {
    return this.#topics.get(name);
  }

  byId(id: string): GroupTopic | undefined {
    return this.#topics.values().find((topic) => topic.id === id);
  }
}

export interface Scene {
  readonly runtime: ManualRuntime;
  readonly service: MemoryMetadata;
  readonly topics: Topics;
  readonly settings: GroupSettings;
  readonly faults: MemoryFaults;
  groups: GroupCoordinator;
  /** A second coordinator on the same store; not started. */
  rival(): GroupCoordinator;
  /** Stops without a farewell to the store and starts anew from it. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function scene(
  options: { settings?: Partial<GroupSettings>; faults?: MemoryFaults; seed?: number } = {},
): Promise<Scene> {
  const runtime = manualRuntime(options.seed);
  const service = new MemoryMetadata(runtime);
  const topics = new Topics();
  topics.set("t", 200);
  const settings = { ...SETTINGS, ...options.settings };
  const faults = options.faults ?? {};
  const make = () => {
    return new GroupCoordinator({ runtime, metadata: service.connect(faults), topics, settings });
  };
  const made: Scene = {
    runtime,
    service,
    topics,
    settings,
    faults,
    groups: make(),
    rival: make,
    async restart() {
      await this.groups.stop();
      this.groups = make();
      await this.groups.start();
    },
    stop: () => made.groups.stop(),
  };
  await made.groups.start();
  return made;
}

/** The bytes of a consumer's subscription, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const parts: number[] = [0, 0, 0, 0, 0, topics.length];
  for (const topic of topics) {
    parts.push(0, topic.length, ...new TextEncoder().encode(topic));
  }
  parts.push(0xff, 0xff, 0xff, 0xff);
  return new Uint8Array(parts);
}

export function joinRequest(over: Partial<JoinRequest> = {}): JoinRequest {
  return {
    groupId: "g",
    memberId: "",
    groupInstanceId: null,
    clientId: "client",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription("t") }],
    reason: null,
    knowsMemberIdRequired: false,
    knowsSkipAssignment: true,
    ...over,
  };
}

export function syncRequest(joined: JoinReply, over: Partial<SyncRequest> = {}): SyncRequest {
  return {
    groupId: "g",
    memberId: joined.memberId,
    groupInstanceId: null,
    generationId: joined.generationId,
    protocolType: joined.protocolType,
    protocolName: joined.protocolName,
    // what a leader sends: each member gets its own id as assignment
    assignments: joined.members.map(({ memberId }) => ({ memberId, assignment: text(memberId) })),
    ...over,
  };
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const untext = (value: Uint8Array): string => new TextDecoder().decode(value);

/** Remembers whether a promise has settled, and to what. */
export interface Watched<T> {
  value: T | undefined;
  readonly promise: Promise<T>;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { value: undefined, promise };
  promise.then((value) => watched.value = value);
  return watched;
}

export interface StableMember {
  readonly join: JoinReply;
  readonly sync: SyncReply;
}

/** Brings members into a stable group with one initial rebalance; the first is the leader. */
export async function stableGroup(
  made: Scene,
  requests: readonly Partial<JoinRequest>[],
): Promise<StableMember[]> {
  const joins = requests.map((over) => made.groups.join(joinRequest(over)));
  await made.runtime.advance(2 * made.settings.groupInitialRebalanceDelayMs);
  return await syncAll(made, await Promise.all(joins), requests);
}

/** Every member sends its SyncGroup, followers first. */
export async function syncAll(
  made: Scene,
  joined: readonly JoinReply[],
  requests: readonly Partial<JoinRequest>[] = [],
): Promise<StableMember[]> {
  const syncs = joined.map((join, at) => {
    const over = requests[at] ?? {};
    return made.groups.sync(syncRequest(join, {
      groupId: over.groupId ?? "g",
      groupInstanceId: over.groupInstanceId ?? null,
    }));
  });
  const settled = await Promise.all(syncs);
  return joined.map((join, at) => ({ join, sync: settled[at]! }));
}

export function beat(
  made: Scene,
  joined: JoinReply,
  over: { generationId?: number; groupInstanceId?: string | null; memberId?: string } = {},
): Promise<ErrorCodeValue> {
  return made.groups.heartbeat({
    groupId: "g",
    memberId: joined.memberId,
    groupInstanceId: null,
    generationId: joined.generationId,
    ...over,
  });
}

/** Commits `offset` for partitions of topic t; the codes by partition. */
export async function commit(
  made: Scene,
  partitions: readonly number[],
  offset: number,
  from: Partial<{ groupId: string; memberId: string; generationId: number; topic: string }> = {},
): Promise<ErrorCodeValue[]> {
  const [topic] = await made.groups.commitOffsets({
    groupId: from.groupId ?? "g",
    memberId: from.memberId ?? "",
    generationId: from.generationId ?? -1,
    groupInstanceId: null,
    retentionTimeMs: -1,
    missingGroupError: ErrorCode.ILLEGAL_GENERATION,
    topics: [{
      name: from.topic ?? "t",
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        committedOffset: offset,
        committedLeaderEpoch: 3,
        committedMetadata: "note",
      })),
    }],
  });
  return topic!.partitions.map(({ errorCode }) => errorCode);
}

/** Committed offsets of partitions of topic t. */
export async function committed(
  made: Scene,
  partitions: readonly number[],
  groupId = "g",
): Promise<number[]> {
  const reply = await made.groups.fetchOffsets({
    groupId,
    topics: [{ name: "t", partitionIndexes: partitions }],
    requireStable: false,
  });
  return reply.topics[0]?.partitions.map(({ committedOffset }) => committedOffset) ?? [];
}

/** The group's state, or undefined when it isn't there. */
export function stateOf(made: Scene, groupId = "g"): string | undefined {
  return made.groups.list([], []).groups.find((group) => group.groupId === groupId)?.groupState;
}
