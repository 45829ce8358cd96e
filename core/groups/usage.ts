import { GROUP_MEMBERS_TOTAL_MAX, GROUPS_MAX, GROUPS_STATE_BYTES_MAX } from "../config/limits.ts";

/** What all groups of this broker take together, against the limits (I9). */
export class GroupUsage {
  groups = 0;
  /** Ids waiting to come back after MEMBER_ID_REQUIRED included. */
  members = 0;
  bytes = 0;

  /** `others` are kept track of besides. */
  hasRoomForGroup(others: number): boolean {
    return this.groups + others < GROUPS_MAX;
  }

  /** For one more member that brings `bytes`. */
  hasRoomFor(bytes: number): boolean {
    return this.members < GROUP_MEMBERS_TOTAL_MAX && this.bytes + bytes <= GROUPS_STATE_BYTES_MAX;
  }
}
