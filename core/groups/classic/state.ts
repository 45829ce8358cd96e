/**
 * The states of a classic group and every way between them.
 *
 *     Empty ──a member joins──▶ PreparingRebalance ──all joined, or time──▶ CompletingRebalance
 *       ▲                        │     ▲    ▲                                  │        │
 *       └────── nobody joined ───┘     │    └── joins, leaves, expires, ───────┘        │
 *                                      │        does not sync, store failed    assignment stored
 *                                      │                                                ▼
 *                                      └──────── joins anew, leaves, expires ──────── Stable
 *
 *     any state ──deleted, or dropped from memory──▶ Dead
 *
 * What each request does (P: PreparingRebalance, C: CompletingRebalance):
 *
 *     request      Empty            P               C                        Stable
 *     ───────      ─────            ─               ─                        ──────
 *     Join, new    rebalance        wait            rebalance                rebalance
 *     Join, known  UNKNOWN_MEMBER   wait            same metadata: answer    follower with the same
 *                                                   again; else rebalance    metadata: answer; else
 *                                                                            rebalance
 *     Join, static (no members)     wait, new id    rebalance                same protocol: store,
 *                                                                            answer; else rebalance
 *     Sync         UNKNOWN_MEMBER   REBALANCE_IN_   wait; leader: store      answer
 *                                   PROGRESS        the assignments
 *     Heartbeat    UNKNOWN_MEMBER   REBALANCE_IN_   fine                     fine
 *                                   PROGRESS
 *     Leave        UNKNOWN_MEMBER   remove          remove, rebalance        remove, rebalance
 *     Commit       without member:  with member:    REBALANCE_IN_PROGRESS    with member: fine
 *                  fine             fine
 *
 * Dead answers COORDINATOR_NOT_AVAILABLE to everything.
 */
import { invariant } from "../../runtime/mod.ts";

export type GroupState =
  | "Empty"
  | "PreparingRebalance"
  | "CompletingRebalance"
  | "Stable"
  | "Dead";

const BEFORE: Readonly<Record<GroupState, readonly GroupState[]>> = {
  Empty: ["PreparingRebalance"],
  PreparingRebalance: ["Empty", "CompletingRebalance", "Stable"],
  CompletingRebalance: ["PreparingRebalance"],
  Stable: ["CompletingRebalance"],
  Dead: ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable"],
};

export function canMove(from: GroupState, to: GroupState): boolean {
  return BEFORE[to].includes(from);
}

/** The state after a move; the table has to allow it. */
export function move(from: GroupState, to: GroupState): GroupState {
  invariant(canMove(from, to), "a group moved between states that are not neighbours");
  return to;
}
