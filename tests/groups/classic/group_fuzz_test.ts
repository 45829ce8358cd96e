/**
 * Random joins, syncs, heartbeats, leaves, commits and silences against one group, with a store
 * that is slow and fails now and then. What must hold after every step is in `check`, what must
 * hold when everybody has gone silent, in `checkEnd`.
 */
import { assert, assertEquals } from "@std/assert";
import { ClassicGroup } from "../../../core/groups/classic/group.ts";
import { join } from "../../../core/groups/classic/join.ts";
import { admitCommit, heartbeat, leave } from "../../../core/groups/classic/membership.ts";
import { sync } from "../../../core/groups/classic/sync.ts";
import type { JoinReply } from "../../../core/groups/requests.ts";
import type { GroupSnapshot } from "../../../core/groups/snapshot.ts";
import { GroupUsage } from "../../../core/groups/usage.ts";
import { ErrorCode, type ErrorCodeValue } from "../../../core/protocol/errors.ts";
import { manualRuntime, mulberry32 } from "../../runtime/manual_runtime.ts";
import { joinRequest, SETTINGS, subscription, syncRequest, text } from "../scene.ts";

interface Client {
  readonly instance: string | null;
  memberId: string;
  joined: JoinReply | undefined;
  parked: boolean;
}

class Fuzz {
  readonly runtime;
  readonly random;
  readonly usage = new GroupUsage();
  readonly clients: Client[] = [];
  readonly saved: GroupSnapshot[] = [];
  group: ClassicGroup;
  asked = 0;
  answered = 0;
  generation = 0;
  replacements = 0;
  /** Generation → leaders named in its answers, and replacements of static members by then. */
  readonly leaders = new Map<number, Set<string>>();

  constructor(readonly seed: number) {
    this.runtime = manualRuntime(seed);
    this.random = mulberry32(seed ^ 0x5eed);
    const clients = 2 + this.below(6);
    for (let at = 0; at < clients; at++) {
      const instance = this.below(3) === 0 ? `i${at % 4}` : null;
      this.clients.push({ instance, memberId: "", joined: undefined, parked: false });
    }
    this.group = new ClassicGroup({
      runtime: this.runtime,
      settings: { ...SETTINGS, groupMaxSize: 2 + this.below(6) },
      usage: this.usage,
      save: (_group, snapshot) => this.save(snapshot),
      abandoned: () => {},
    }, "g");
  }

  below(bound: number): number {
    return this.random() % bound;
  }

  save(snapshot: GroupSnapshot): Promise<ErrorCodeValue> {
    const fails = this.below(5) === 0;
    return new Promise((resolve) => {
      this.runtime.timers.after(this.below(200), () => {
        if (!fails) this.saved.push(snapshot);
        resolve(fails ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.NONE);
      });
    });
  }

  /** Counts an answer, and that it comes only once. */
  once<T>(handle: (reply: T) => void): (reply: T) => void {
    this.asked++;
    let answered = false;
    return (reply) => {
      assert(!answered, "answered twice");
      answered = true;
      this.answered++;
      handle(reply);
    };
  }

  async step(): Promise<void> {
    const client = this.clients[this.below(this.clients.length)]!;
    switch (this.below(12)) {
      case 0:
      case 1:
      case 2:
        this.join(client);
        break;
      case 3:
      case 4:
      case 5:
        this.sync(client);
        break;
      case 6:
        this.heartbeatAll();
        break;
      case 7:
        this.leave(client);
        break;
      case 8:
        this.commit(client);
        break;
      case 9:
        // a client that forgot who it was
        client.memberId = "";
        break;
      case 10:
        await this.runtime.advance(this.below(400));
        break;
      default:
        await this.runtime.advance(this.below(6_000));
    }
    this.check();
    await this.runtime.settle();
    this.check();
  }

  join(client: Client): void {
    const names = ["a", "b"].filter(() => this.below(4) > 0).concat("c");
    const request = joinRequest({
      memberId: client.memberId,
      groupInstanceId: client.instance,
      sessionTimeoutMs: 6_000 + this.below(10_000),
      rebalanceTimeoutMs: 5_000 + this.below(20_000),
      protocols: names.map((name) => ({ name, metadata: subscription(`t${this.below(2)}`) })),
      knowsMemberIdRequired: this.below(2) === 0,
      knowsSkipAssignment: this.below(2) === 0,
    });
    if (client.instance !== null && client.memberId === "") this.replacements++;
    client.parked = true;
    const answer = this.once((reply: JoinReply) => {
      client.parked = false;
      if (reply.errorCode === ErrorCode.MEMBER_ID_REQUIRED) client.memberId = reply.memberId;
      else if (reply.errorCode === ErrorCode.NONE) {
        client.memberId = reply.memberId;
        client.joined = reply;
        this.noteLeader(reply);
      } else if (reply.errorCode !== ErrorCode.REBALANCE_IN_PROGRESS) client.memberId = "";
    });
    join(this.group, request, answer);
  }

  noteLeader({ generationId, leader }: JoinReply): void {
    const leaders = this.leaders.get(generationId) ?? new Set();
    leaders.add(leader);
    this.leaders.set(generationId, leaders);
    assert(leaders.size <= 1 + this.replacements, "two leaders in one generation");
  }

  sync(client: Client): void {
    if (client.joined === undefined) return;
    // leaders give everybody something, also those who came meanwhile
    const assignments = Array.from(this.group.roster.members.keys(), (memberId) => {
      return { memberId, assignment: text(memberId) };
    });
    const request = syncRequest(client.joined, { groupInstanceId: client.instance, assignments });
    sync(
      this.group,
      request,
      this.once((reply) => {
        if (reply.errorCode === ErrorCode.NONE) assert(reply.assignment.length > 0);
      }),
    );
  }

  heartbeatAll(): void {
    for (const { joined, instance } of this.clients) {
      if (joined === undefined || this.below(4) === 0) continue;
      heartbeat(this.group, {
        groupId: "g",
        memberId: joined.memberId,
        groupInstanceId: instance,
        generationId: joined.generationId,
      });
    }
  }

  leave({ memberId, instance }: Client): void {
    const byInstance = instance !== null && this.below(2) === 0;
    const leaving = { memberId: byInstance ? "" : memberId, groupInstanceId: instance, reason: "" };
    leave(this.group, [leaving]);
  }

  commit({ joined, instance }: Client): void {
    admitCommit(this.group, {
      generationId: joined?.generationId ?? -1,
      memberId: joined?.memberId ?? "",
      groupInstanceId: instance,
    });
  }

  check(): void {
    const { group } = this;
    const { roster } = group;
    assert(group.generationId >= this.generation, "the generation went back");
    this.generation = group.generationId;
    if (roster.members.size === 0) assertEquals(roster.leaderId, null);
    else assert(roster.members.has(roster.leaderId ?? ""), "the leader is not a member");
    let parked = 0;
    let bytes = 0;
    for (const member of roster.members.values()) {
      parked += (member.joinReply ? 1 : 0) + (member.syncReply ? 1 : 0);
      if (group.state === "Stable") assert(member.assignment.length > 0, "no assignment");
      if (member.syncReply) assertEquals(group.state, "CompletingRebalance");
      const excused = !member.isNew && (member.joinReply || member.syncReply);
      assert(member.session.pending || excused, "a member that can never expire");
      bytes += member.assignment.length;
    }
    assertEquals(this.asked - this.answered, parked, "a reply was lost");
    assert(this.usage.bytes >= bytes);
    assertEquals(this.usage.members, roster.members.size + roster.pendingJoins.size);
    const empty = group.state === "Empty" || group.state === "Dead";
    if (empty) assertEquals(roster.members.size, 0);
    else if (group.state !== "PreparingRebalance") assert(roster.members.size > 0);
  }

  /** Nobody says anything any more. */
  async checkEnd(): Promise<void> {
    await this.runtime.advance(3_600_000);
    this.check();
    assertEquals(this.group.state, "Empty");
    assertEquals(this.answered, this.asked);
    assertEquals(this.group.timers, 0);
    assertEquals(this.runtime.pendingTimers, 0);
    assertEquals(this.usage, Object.assign(new GroupUsage(), { groups: 1 }));
    for (const { members } of this.saved) {
      for (const { assignment } of members) assert(assignment.length > 0);
    }
  }
}

Deno.test("a group keeps its invariants whatever members do", async () => {
  const states = new Set<string>();
  let generations = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const fuzz = new Fuzz(seed);
    try {
      for (let step = 0; step < 300; step++) {
        await fuzz.step();
        states.add(fuzz.group.state);
      }
      await fuzz.checkEnd();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    generations += fuzz.generation;
  }
  // the walk must have gone everywhere
  assertEquals([...states].sort(), [
    "CompletingRebalance",
    "Empty",
    "PreparingRebalance",
    "Stable",
  ]);
  assert(generations > 500, `only ${generations} generations`);
});
