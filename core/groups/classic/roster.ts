/**
 * Who is in a classic group, what they support and who leads; plain data, no time and no states.
 */
import { GROUP_STATE_BYTES_MAX } from "../../config/limits.ts";
import { invariant } from "../../runtime/mod.ts";
import type { Deadline } from "../deadline.ts";
import type { JoinedMember, JoinReply, MemberProtocol } from "../requests.ts";
import type { GroupUsage } from "../usage.ts";
import { type Member, memberBytes, metadataOf } from "./member.ts";
import { CONSUMER_PROTOCOL, subscribedTopics } from "./subscription.ts";

export class Roster {
  readonly members = new Map<string, Member>();
  /** Instance id → member id. */
  readonly staticIds = new Map<string, string>();
  /** Ids given out with MEMBER_ID_REQUIRED that have not come back yet, each with its time-out. */
  readonly pendingJoins = new Map<string, Deadline>();
  /** Members of the present generation that have not sent SyncGroup. */
  readonly pendingSyncs = new Set<string>();
  leaderId: string | null = null;
  /** Null: nobody ever joined (only simple consumers commit here). */
  protocolType: string | null = null;
  protocolName: string | null = null;
  /** Null: not known. */
  subscription: ReadonlySet<string> | null = null;
  /** How many members offer each protocol. */
  readonly #support = new Map<string, number>();
  #awaitingJoin = 0;
  #bytes = 0;

  constructor(readonly usage: GroupUsage) {}

  /** Members with a parked JoinGroup. */
  get awaitingJoin(): number {
    return this.#awaitingJoin;
  }

  get allJoined(): boolean {
    return this.members.size === this.#awaitingJoin && this.pendingJoins.size === 0;
  }

  /** Whether `bytes` more of members' data fit the group and the coordinator. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= GROUP_STATE_BYTES_MAX && this.usage.hasRoomFor(bytes);
  }

  add(member: Member): void {
    invariant(!this.members.has(member.memberId), "a member was added twice");
    if (this.members.size === 0) this.protocolType = member.protocolType;
    invariant(this.protocolType === member.protocolType, "protocol types differ within a group");
    if (member.groupInstanceId !== null) {
      invariant(!this.staticIds.has(member.groupInstanceId), "a static member was added twice");
      this.staticIds.set(member.groupInstanceId, member.memberId);
    }
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.usage.members++;
    this.#weigh(memberBytes(member) + member.assignment.length);
    this.#countSupport(member.protocols, 1);
    this.removePending(member.memberId);
  }

  /** Forgets a member and its timer; a parked request of it was answered before. */
  remove(memberId: string): void {
    const member = this.members.get(memberId);
    if (member === undefined) return;
    invariant(member.joinReply === undefined, "a member with a parked join was removed");
    invariant(member.syncReply === undefined, "a member with a parked sync was removed");
    member.session.cancel();
    this.members.delete(memberId);
    this.usage.members--;
    this.#weigh(-memberBytes(member) - member.assignment.length);
    this.#countSupport(member.protocols, -1);
    if (member.groupInstanceId !== null) this.staticIds.delete(member.groupInstanceId);
    if (this.leaderId === memberId) {
      this.leaderId = this.members.keys().next().value ?? null;
    }
    this.pendingSyncs.delete(memberId);
  }

  /** The old member under a new id: same place, leadership and assignment (KIP-345). */
  replace(old: Member, member: Member): void {
    const wasLeader = this.leaderId === old.memberId;
    const owesSync = this.pendingSyncs.has(old.memberId);
    this.remove(old.memberId);
    if (this.members.size === 0) this.leaderId = null;
    this.add(member);
    if (wasLeader) this.leaderId = member.memberId;
    if (owesSync) this.pendingSyncs.add(member.memberId);
  }

  updateProtocols(member: Member, protocols: readonly MemberProtocol[]): void {
    this.#weigh(-memberBytes(member));
    this.#countSupport(member.protocols, -1);
    member.protocols = protocols;
    this.#countSupport(protocols, 1);
    this.#weigh(memberBytes(member));
  }

  assign(member: Member, assignment: Uint8Array): void {
    this.#weigh(assignment.length - member.assignment.length);
    member.assignment = assignment;
  }

  addPending(memberId: string, timeout: Deadline): void {
    this.pendingJoins.set(memberId, timeout);
    this.usage.members++;
  }

  removePending(memberId: string): boolean {
    const timeout = this.pendingJoins.get(memberId);
    if (timeout === undefined) return false;
    timeout.cancel();
    this.pendingJoins.delete(memberId);
    this.usage.members--;
    return true;
  }

  /** Parks a join. An older one of the same member must have been answered. */
  awaitJoin(member: Member, reply: (reply: JoinReply) => void): void {
    invariant(member.joinReply === undefined, "two joins of one member are parked");
    member.joinReply = reply;
    this.#awaitingJoin++;
  }

  /** Answers a parked join, if there is one. */
  answerJoin(member: Member, reply: JoinReply): void {
    const answer = member.joinReply;
    if (answer === undefined) return;
    member.joinReply = undefined;
    this.#awaitingJoin--;
    answer(reply);
  }

  /** The leader stays when it joined; else somebody who did. False: nobody joined. */
  electJoinedLeader(): boolean {
    if (this.leaderId === null) return false;
    if (this.members.get(this.leaderId)?.joinReply !== undefined) return true;
    for (const member of this.members.values()) {
      if (member.joinReply === undefined) continue;
      this.leaderId = member.memberId;
      return true;
    }
    return false;
  }

  /** Whether a member of this type and protocols shares at least one protocol with everybody. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.members.size === 0) return protocolType !== "" && protocols.length > 0;
    return this.protocolType === protocolType &&
      protocols.some(({ name }) => this.#support.get(name) === this.members.size);
  }

  /** Each member votes for its first protocol that all support; ties go to the earlier vote. */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const { protocols } of this.members.values()) {
      const vote = protocols.find(({ name }) => this.#support.get(name) === this.members.size);
      invariant(vote !== undefined, "members share no protocol");
      votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    let best: string | undefined;
    for (const [name, count] of votes) {
      if (best === undefined || count > votes.get(best)!) best = name;
    }
    invariant(best !== undefined, "a protocol was wanted for no members");
    return best;
  }

  /** The rebalance time-out of the slowest member. */
  rebalanceTimeoutMs(): number {
    let slowest = 0;
    for (const member of this.members.values()) {
      slowest = Math.max(slowest, member.rebalanceTimeoutMs);
    }
    return slowest;
  }

  /** For the leader's JoinGroup answer. */
  joined(): JoinedMember[] {
    return Array.from(this.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: metadataOf(member, this.protocolName),
    }));
  }

  /** Reads the members' subscriptions for the selected protocol. */
  readSubscription(): void {
    this.subscription = null;
    if (this.protocolType !== CONSUMER_PROTOCOL) return;
    const all = new Set<string>();
    for (const member of this.members.values()) {
      const topics = subscribedTopics(metadataOf(member, this.protocolName));
      if (topics === undefined) return;
      for (const topic of topics) all.add(topic);
    }
    this.subscription = all;
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscription?.has(topic) ?? this.protocolType === CONSUMER_PROTOCOL;
  }

  #countSupport(protocols: readonly MemberProtocol[], step: number): void {
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      const count = (this.#support.get(name) ?? 0) + step;
      if (count === 0) this.#support.delete(name);
      else this.#support.set(name, count);
    }
  }

  #weigh(bytes: number): void {
    this.#bytes += bytes;
    this.usage.bytes += bytes;
    invariant(this.#bytes >= 0, "a group weighs less than nothing");
  }
}
