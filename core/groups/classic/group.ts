/**
 * One classic consumer group: its state (state.ts has the table), its timers, and the two ends of a
 * rebalance. What JoinGroup decides is in join.ts, SyncGroup in sync.ts, Heartbeat, LeaveGroup and
 * OffsetCommit in membership.ts. Every method is one synchronous step: decide, apply, answer; only
 * where an answer depends on the store (an assignment, a static member's new id) is the answer left
 * to the store's outcome.
 */
import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import { invariant, type Runtime } from "../../runtime/mod.ts";
import { Deadline } from "../deadline.ts";
import type { GroupSettings } from "../group_settings.ts";
import type { JoinReply, MemberProtocol } from "../requests.ts";
import type { GroupSnapshot } from "../snapshot.ts";
import type { GroupUsage } from "../usage.ts";
import {
  excusedFromHeartbeat,
  type Identity,
  type Member,
  memberSnapshot,
  newMember,
  NO_BYTES,
} from "./member.ts";
import { joinError, syncError } from "./replies.ts";
import { Roster } from "./roster.ts";
import { canMove, type GroupState, move } from "./state.ts";

/** What a group needs of the coordinator. */
export interface GroupHost {
  readonly runtime: Runtime;
  readonly settings: GroupSettings;
  readonly usage: GroupUsage;
  /** Stores the group; resolves to NONE once durable, else to the code to answer. Never rejects. */
  save(group: ClassicGroup, snapshot: GroupSnapshot): Promise<ErrorCodeValue>;
  /** The group has no members and awaits none: it may be forgotten if it was never stored. */
  abandoned(group: ClassicGroup): void;
}

export class ClassicGroup {
  readonly roster: Roster;
  #state: GroupState = "Empty";
  #initialRebalance = false;
  /** A member joined since the initial rebalance was last put off. */
  #joinedMeanwhile = false;
  #generationId = 0;
  #stateSinceMs: number;
  /** Ends PreparingRebalance. */
  readonly #joinDeadline: Deadline;
  /** Ends the wait for members that owe a SyncGroup. */
  readonly #syncDeadline: Deadline;
  #onJoinDeadline: () => void = () => this.completeJoin();

  constructor(readonly host: GroupHost, readonly groupId: string) {
    this.roster = new Roster(host.usage);
    this.#stateSinceMs = host.runtime.clock.wallMs();
    this.#joinDeadline = new Deadline(host.runtime, () => this.#onJoinDeadline());
    this.#syncDeadline = new Deadline(host.runtime, () => this.#expireSyncs());
    host.usage.groups++;
  }

  /** The group as it was stored; its members go on without noticing, or expire. */
  static restore(host: GroupHost, groupId: string, stored: GroupSnapshot): ClassicGroup {
    const group = new ClassicGroup(host, groupId);
    const { roster } = group;
    for (const member of stored.members) {
      const protocols = [{ name: stored.protocolName ?? "", metadata: member.metadata }];
      const added = group.makeMember(
        { ...member, protocolType: stored.protocolType ?? "" },
        protocols,
      );
      roster.add(added);
      roster.assign(added, member.assignment);
      added.session.set(member.sessionTimeoutMs);
    }
    if (stored.leaderId !== null && roster.members.has(stored.leaderId)) {
      roster.leaderId = stored.leaderId;
    }
    roster.protocolType = stored.protocolType;
    roster.protocolName = stored.members.length > 0 ? stored.protocolName : null;
    roster.readSubscription();
    group.#generationId = stored.generationId;
    group.#stateSinceMs = stored.stateSinceMs;
    if (stored.members.length > 0) group.#state = "Stable";
    if (stored.members.length > host.settings.groupMaxSize) {
      group.prepareRebalance("the group is larger than the limit, which was lowered");
    }
    return group;
  }

  get state(): GroupState {
    return this.#state;
  }

  get generationId(): number {
    return this.#generationId;
  }

  /** Wall time of the last change of state. */
  get stateSinceMs(): number {
    return this.#stateSinceMs;
  }

  /** Timers that are set, for the leak check of tests. */
  get timers(): number {
    let pending = 0;
    for (const member of this.roster.members.values()) if (member.session.pending) pending++;
    for (const timeout of this.roster.pendingJoins.values()) if (timeout.pending) pending++;
    return pending + (this.#joinDeadline.pending ? 1 : 0) + (this.#syncDeadline.pending ? 1 : 0);
  }

  /** What is to be stored of the group as it is now, or with these assignments instead. */
  snapshot(assignments?: ReadonlyMap<string, Uint8Array>): GroupSnapshot {
    const { roster } = this;
    const members = Array.from(roster.members.values(), (member) => {
      return memberSnapshot(member, roster.protocolName, assignments);
    });
    return {
      generationId: this.#generationId,
      protocolType: roster.protocolType,
      protocolName: roster.protocolName,
      leaderId: roster.leaderId,
      stateSinceMs: this.#stateSinceMs,
      members,
    };
  }

  makeMember(from: Identity, protocols: readonly MemberProtocol[]): Member {
    const { memberId } = from;
    const session = new Deadline(this.host.runtime, () => this.#expireMember(memberId));
    return newMember(from, protocols, session);
  }

  /** NONE, or why a request in this member's name is refused (KIP-345 fencing). */
  checkMember(memberId: string, groupInstanceId: string | null): ErrorCodeValue {
    if (groupInstanceId !== null) {
      const current = this.roster.staticIds.get(groupInstanceId);
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
    }
    return this.roster.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
  }

  /** Starts a rebalance where one can start, else sees whether the present one can end. */
  rebalanceOrComplete(reason: string): void {
    if (canMove(this.#state, "PreparingRebalance")) this.prepareRebalance(reason);
    else this.completeJoinIfAllJoined();
  }

  /** Everybody has to join again. A new group gives others time to join first (KIP-134). */
  prepareRebalance(reason: string): void {
    if (this.#state === "CompletingRebalance") this.failSyncs(ErrorCode.REBALANCE_IN_PROGRESS);
    this.roster.pendingSyncs.clear();
    this.#syncDeadline.cancel();
    this.#initialRebalance = this.#state === "Empty";
    this.#enter("PreparingRebalance");
    const { groupId } = this;
    this.host.runtime.log.info("group rebalances", {
      group: groupId,
      generation: this.#generationId,
      reason,
    });
    if (this.#initialRebalance) this.#delayInitialRebalance();
    else if (this.roster.allJoined) this.completeJoin();
    else this.#setJoinDeadline(this.roster.rebalanceTimeoutMs(), () => this.completeJoin());
  }

  /** A member joined for the first time: an initial rebalance waits for more. */
  noteNewMember(): void {
    if (this.#state === "PreparingRebalance" && this.#initialRebalance) {
      this.#joinedMeanwhile = true;
    }
  }

  completeJoinIfAllJoined(): void {
    if (this.#state !== "PreparingRebalance" || this.#initialRebalance) return;
    if (this.roster.allJoined) this.completeJoin();
  }

  /**
   * Ends PreparingRebalance: who has not joined is out (static members stay), the rest get their
   * answer.
   */
  completeJoin(): void {
    invariant(this.#state === "PreparingRebalance", "a join phase ended that was not open");
    this.#joinDeadline.cancel();
    const { roster } = this;
    for (const member of [...roster.members.values()]) {
      if (member.joinReply !== undefined || member.groupInstanceId !== null) continue;
      this.host.runtime.log.info("group removes a member that did not rejoin", {
        group: this.groupId,
        member: member.memberId,
      });
      this.removeMember(member);
    }
    if (roster.members.size === 0) return this.#becomeEmpty();
    if (!roster.electJoinedLeader()) {
      // only static members are left and none has joined: wait until they do or expire
      return this.#setJoinDeadline(roster.rebalanceTimeoutMs(), () => this.completeJoin());
    }
    this.#generationId++;
    roster.protocolName = roster.selectProtocol();
    roster.readSubscription();
    roster.pendingSyncs.clear();
    this.#enter("CompletingRebalance");
    this.host.runtime.log.info("group has a new generation", {
      group: this.groupId,
      generation: this.#generationId,
      members: roster.members.size,
      leader: roster.leaderId,
    });
    for (const member of roster.members.values()) {
      member.isNew = false;
      roster.pendingSyncs.add(member.memberId);
      member.session.set(member.sessionTimeoutMs);
      roster.answerJoin(member, this.joinAnswer(member));
    }
    this.#syncDeadline.set(roster.rebalanceTimeoutMs());
  }

  /** "You are in the present generation", with everybody's metadata for the leader. */
  joinAnswer(member: Member): JoinReply {
    const { roster } = this;
    return {
      errorCode: ErrorCode.NONE,
      generationId: this.#generationId,
      protocolType: roster.protocolType,
      protocolName: roster.protocolName,
      leader: roster.leaderId ?? "",
      skipAssignment: false,
      memberId: member.memberId,
      members: roster.leaderId === member.memberId ? roster.joined() : [],
    };
  }

  /** The stored assignment goes out and the group is stable. */
  propagateAssignments(assignments: ReadonlyMap<string, Uint8Array>): void {
    const { roster } = this;
    for (const member of roster.members.values()) {
      roster.assign(member, assignments.get(member.memberId) ?? NO_BYTES);
    }
    this.#enter("Stable");
    for (const member of roster.members.values()) {
      const answer = member.syncReply;
      if (answer === undefined) continue;
      member.syncReply = undefined;
      member.session.set(member.sessionTimeoutMs);
      answer({
        errorCode: ErrorCode.NONE,
        protocolType: roster.protocolType,
        protocolName: roster.protocolName,
        assignment: member.assignment,
      });
    }
  }

  /** Every parked SyncGroup is answered with `errorCode`; the generation has no assignments. */
  failSyncs(errorCode: ErrorCodeValue): void {
    for (const member of this.roster.members.values()) {
      this.roster.assign(member, NO_BYTES);
      if (member.syncReply !== undefined) member.session.set(member.sessionTimeoutMs);
      this.answerSync(member, errorCode);
    }
  }

  answerSync(member: Member, errorCode: ErrorCodeValue): void {
    const answer = member.syncReply;
    member.syncReply = undefined;
    answer?.(syncError(errorCode));
  }

  /** A member has sent its SyncGroup; once all have, nobody is waited for. */
  noteSync(memberId: string): void {
    this.roster.pendingSyncs.delete(memberId);
    if (this.roster.pendingSyncs.size === 0) this.#syncDeadline.cancel();
  }

  /** Takes a member out; what it has parked is answered, so that a live client joins anew. */
  removeMember(member: Member): void {
    this.roster.answerJoin(member, joinError(ErrorCode.UNKNOWN_MEMBER_ID, ""));
    this.answerSync(member, ErrorCode.UNKNOWN_MEMBER_ID);
    this.roster.remove(member.memberId);
    if (this.roster.pendingSyncs.size === 0) this.#syncDeadline.cancel();
  }

  /** After members were removed. */
  afterRemoval(reason: string): void {
    if (this.#state === "Stable" || this.#state === "CompletingRebalance") {
      this.prepareRebalance(reason);
    } else this.completeJoinIfAllJoined();
    this.reportIfAbandoned();
  }

  /** Gives out an id that has to come back within the session time-out (KIP-394). */
  addPendingMember(memberId: string, sessionTimeoutMs: number): void {
    const timeout = new Deadline(this.host.runtime, () => {
      this.roster.removePending(memberId);
      this.afterPendingRemoval();
    });
    this.roster.addPending(memberId, timeout);
    timeout.set(sessionTimeoutMs);
  }

  afterPendingRemoval(): void {
    this.completeJoinIfAllJoined();
    this.reportIfAbandoned();
  }

  reportIfAbandoned(): void {
    if (this.#state === "Empty" && this.roster.pendingJoins.size === 0) this.host.abandoned(this);
  }

  /** Ends the group in memory: everything parked is answered, every timer stops. */
  die(errorCode: ErrorCodeValue): void {
    if (this.#state === "Dead") return;
    this.#enter("Dead");
    const { roster } = this;
    for (const member of [...roster.members.values()]) {
      roster.answerJoin(member, joinError(errorCode, member.memberId));
      this.answerSync(member, errorCode);
      roster.remove(member.memberId);
    }
    for (const memberId of [...roster.pendingJoins.keys()]) roster.removePending(memberId);
    this.#joinDeadline.cancel();
    this.#syncDeadline.cancel();
    this.host.usage.groups--;
  }

  #enter(state: GroupState): void {
    this.#state = move(this.#state, state);
    this.#stateSinceMs = this.host.runtime.clock.wallMs();
  }

  #becomeEmpty(): void {
    const { roster } = this;
    this.#generationId++;
    roster.protocolName = null;
    roster.readSubscription();
    this.#initialRebalance = false;
    this.#enter("Empty");
    this.host.runtime.log.info("group is empty", {
      group: this.groupId,
      generation: this.#generationId,
    });
    // nothing waits for it: were it lost, the stored members would expire after a restart
    void this.host.save(this, this.snapshot());
    this.reportIfAbandoned();
  }

  #setJoinDeadline(delayMs: number, run: () => void): void {
    this.#onJoinDeadline = run;
    this.#joinDeadline.set(delayMs);
  }

  /**
   * Waits the initial delay, and again as long as members keep coming, up to the rebalance time-out
   * of those that were there first.
   */
  #delayInitialRebalance(): void {
    const stepMs = this.host.settings.groupInitialRebalanceDelayMs;
    let restMs = Math.max(this.roster.rebalanceTimeoutMs() - stepMs, 0);
    this.#joinedMeanwhile = false;
    const again = () => {
      if (!this.#joinedMeanwhile || restMs === 0) {
        this.#initialRebalance = false;
        return this.completeJoin();
      }
      this.#joinedMeanwhile = false;
      const delayMs = Math.min(stepMs, restMs);
      restMs = Math.max(restMs - delayMs, 0);
      this.#setJoinDeadline(delayMs, again);
    };
    this.#setJoinDeadline(stepMs, again);
  }

  #expireMember(memberId: string): void {
    const member = this.roster.members.get(memberId);
    invariant(member !== undefined, "a session expired of a member that is gone");
    if (excusedFromHeartbeat(member)) return;
    this.host.runtime.log.info("group removes a member whose session timed out", {
      group: this.groupId,
      member: memberId,
    });
    this.removeMember(member);
    this.afterRemoval(`session of ${memberId} timed out`);
  }

  #expireSyncs(): void {
    const late = [...this.roster.pendingSyncs];
    if (late.length === 0) return;
    this.host.runtime.log.info("group removes members that did not sync", {
      group: this.groupId,
      members: late,
    });
    for (const memberId of late) {
      const member = this.roster.members.get(memberId);
      if (member !== undefined) this.removeMember(member);
    }
    this.prepareRebalance("members did not sync in time");
    this.reportIfAbandoned();
  }
}
