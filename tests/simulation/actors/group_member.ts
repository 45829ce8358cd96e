/**
 * A member of a classic group over one topic: joins, leads if asked to, heartbeats, reads what it
 * is given and commits how far it came.
 */
import { encodeUtf8 } from "../../../core/bytes/mod.ts";
import type { Api, Loose } from "../../../core/protocol/api.ts";
import { ErrorCode } from "../../../core/protocol/errors.ts";
import { offsetCommit } from "../../../core/protocol/messages/08_offset_commit.ts";
import { offsetFetch } from "../../../core/protocol/messages/09_offset_fetch.ts";
import { joinGroup } from "../../../core/protocol/messages/11_join_group.ts";
import { heartbeat } from "../../../core/protocol/messages/12_heartbeat.ts";
import { leaveGroup } from "../../../core/protocol/messages/13_leave_group.ts";
import { syncGroup } from "../../../core/protocol/messages/14_sync_group.ts";
import type { OffsetCall } from "../history.ts";
import { isRetriable, type KnownTopic } from "./actor.ts";
import { Reader } from "./consumer.ts";
import type { Destination } from "./routes.ts";

const SESSION_MS = 3_000;
const PROTOCOL = { protocolType: "consumer", name: "sim" };

/** Answers that end a membership without being anybody's fault. */
const REJOIN: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.FENCED_INSTANCE_ID,
]);

export class GroupMember extends Reader {
  group = "";
  topic!: KnownTopic;
  #memberId = "";
  #generation = -1;
  #assigned: number[] = [];
  readonly #positions = new Map<number, number>();

  protected override async act(): Promise<void> {
    while (!this.stage.closing) {
      if (!await this.#join()) {
        await this.pause(20, 200);
        continue;
      }
      if (await this.#loadPositions()) await this.#work();
      await this.pause(1, 50);
    }
    if (this.#memberId !== "") {
      const { group: groupId } = this;
      const members = [{ memberId: this.#memberId, groupInstanceId: null }];
      await this.#ask(leaveGroup, leaveGroup.maxVersion, { groupId, members });
    }
  }

  #ask<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    body: Loose<Request>,
    timeoutMs = 2_000,
  ): Promise<Response | undefined> {
    return this.ask(api, version, body, timeoutMs, this.#coordinator());
  }

  #coordinator(): Destination {
    return { kind: "coordinator", group: this.group };
  }

  async #join(): Promise<boolean> {
    const body = {
      groupId: this.group,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 4_000,
      memberId: this.#memberId,
      protocolType: PROTOCOL.protocolType,
      protocols: [{ name: PROTOCOL.name, metadata: encodeUtf8(this.topic.name) }],
    };
    const joined = await this.#ask(joinGroup, this.version(joinGroup), body, 8_000);
    if (joined === undefined) return false;
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId;
      return false;
    }
    if (joined.errorCode !== 0) return this.#lost("JoinGroup", joined.errorCode);
    this.#memberId = joined.memberId;
    this.#generation = joined.generationId;
    const assignments = joined.leader === joined.memberId
      ? this.#assign(joined.members.map((member) => member.memberId))
      : [];
    const synced = await this.#ask(syncGroup, this.version(syncGroup), {
      groupId: this.group,
      generationId: this.#generation,
      memberId: this.#memberId,
      protocolType: PROTOCOL.protocolType,
      protocolName: PROTOCOL.name,
      assignments,
    }, 8_000);
    if (synced === undefined) return false;
    if (synced.errorCode !== 0) return this.#lost("SyncGroup", synced.errorCode);
    this.#assigned = [...synced.assignment];
    this.stage.history.assignments.push({
      group: this.group,
      generation: this.#generation,
      member: this.#memberId,
      partitions: this.#assigned,
    });
    return true;
  }

  #assign(members: readonly string[]): { memberId: string; assignment: Uint8Array }[] {
    const parts = members.map((): number[] => []);
    for (let partition = 0; partition < this.topic.partitionCount; partition++) {
      parts[(partition + this.#generation) % members.length]!.push(partition);
    }
    return members.map((memberId, at) => ({ memberId, assignment: Uint8Array.from(parts[at]!) }));
  }

  /** Reads and commits until the group rebalances or the broker is lost for too long. */
  async #work(): Promise<void> {
    const steps = this.prng.between(5, 60);
    for (let step = 0; step < steps && !this.stage.closing; step++) {
      const beat = await this.#ask(heartbeat, this.version(heartbeat), {
        groupId: this.group,
        generationId: this.#generation,
        memberId: this.#memberId,
      });
      if (beat !== undefined && beat.errorCode !== 0) {
        this.#lost("Heartbeat", beat.errorCode);
        return;
      }
      for (const partition of this.#assigned) {
        if (!await this.#advance(partition)) return;
      }
      await this.pause(20, 400);
    }
    if (this.prng.chance(0.1)) this.#memberId = "";
  }

  async #advance(partition: number): Promise<boolean> {
    const position = this.#positions.get(partition) ?? 0;
    const read = await this.readAt(this.topic, partition, position, 0, 20_000);
    const last = read?.records.at(-1);
    if (last === undefined) return true;
    this.#positions.set(partition, last.offset + 1);
    return await this.#commit(partition, last.offset + 1);
  }

  async #commit(partition: number, offset: number): Promise<boolean> {
    const call = this.#record("commit", partition, offset);
    const answer = await this.#ask(offsetCommit, this.version(offsetCommit), {
      groupId: this.group,
      generationIdOrMemberEpoch: this.#generation,
      memberId: this.#memberId,
      topics: [{
        name: this.topic.name,
        partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: "" }],
      }],
    });
    call.end = this.stage.history.now();
    call.incarnation = this.stage.incarnationOf(this.wire!.server);
    const code = answer?.topics[0]?.partitions[0]?.errorCode;
    call.outcome = code === 0
      ? "acked"
      : code !== undefined && REJOIN.has(code)
      ? "refused"
      : "maybe";
    if (code === undefined || code === 0) return true;
    return this.#lost("OffsetCommit", code);
  }

  async #loadPositions(): Promise<boolean> {
    for (const partition of this.#assigned) {
      const call = this.#record("fetch", partition, -1);
      const topics = [{ name: this.topic.name, partitionIndexes: [partition] }];
      const version = this.version(offsetFetch);
      const body = version >= 8
        ? { groups: [{ groupId: this.group, topics }] }
        : { groupId: this.group, topics };
      const answer = await this.#ask(offsetFetch, version, body);
      call.end = this.stage.history.now();
      call.incarnation = this.stage.incarnationOf(this.wire!.server);
      const from = version >= 8 ? answer?.groups[0] : answer;
      const found = from?.topics[0]?.partitions[0];
      const code = from?.errorCode || found?.errorCode;
      if (found === undefined || code !== 0) {
        call.outcome = "maybe";
        if (code !== undefined && code !== 0) this.#lost("OffsetFetch", code);
        return false;
      }
      call.outcome = "acked";
      call.offset = found.committedOffset;
      this.#positions.set(partition, Math.max(0, found.committedOffset));
    }
    return true;
  }

  #record(kind: "commit" | "fetch", partition: number, offset: number): OffsetCall {
    const call: OffsetCall = {
      kind,
      group: this.group,
      member: this.name,
      topic: this.topic.name,
      partition,
      start: this.stage.history.now(),
      end: 0,
      outcome: "open",
      offset,
      incarnation: -1,
    };
    this.stage.history.offsets.push(call);
    return call;
  }

  #lost(what: string, code: number): false {
    this.reroute(this.#coordinator());
    if (code === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = "";
    else if (!REJOIN.has(code) && !isRetriable(code)) this.unexpected(what, code);
    return false;
  }
}
