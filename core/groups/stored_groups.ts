/** Reads stored groups back: all of them at start, or one that was dropped from memory. */
import {
  type Entry,
  GROUP_HEADS_PREFIX,
  GROUP_MEMBERS_PREFIX,
  groupHeadKey,
  groupMembersKey,
  GROUPS_PREFIX,
  MetadataError,
  type MetadataStore,
  type Revision,
} from "../metadata/mod.ts";
import type { Log } from "../runtime/mod.ts";
import { type GroupSnapshot, unsealHead, unsealMembers } from "./snapshot.ts";

export interface StoredGroup {
  readonly groupId: string;
  readonly revision: Revision;
  readonly snapshot: GroupSnapshot;
}

/** Every stored group. One whose record is damaged is left out, with a log line. */
export async function readGroups(store: MetadataStore, log: Log): Promise<StoredGroup[]> {
  const { entries } = await store.list(GROUPS_PREFIX);
  const members = new Map<string, Entry>();
  for (const entry of entries) {
    if (!entry.key.startsWith(GROUP_MEMBERS_PREFIX)) continue;
    members.set(entry.key.slice(GROUP_MEMBERS_PREFIX.length), entry);
  }
  const groups: StoredGroup[] = [];
  for (const entry of entries) {
    if (!entry.key.startsWith(GROUP_HEADS_PREFIX)) continue;
    const part = entry.key.slice(GROUP_HEADS_PREFIX.length);
    try {
      groups.push(storedGroup(entry, members.get(part)));
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      log.error("a stored group cannot be read; delete the key to give the group up", {
        key: entry.key,
        error: error.message,
      });
    }
  }
  return groups;
}

/** One group as of one revision; undefined when it is not stored. Throws MetadataError. */
export async function readGroup(
  store: MetadataStore,
  groupId: string,
): Promise<StoredGroup | undefined> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const head = await store.get(groupHeadKey(groupId));
    if (head === undefined) return undefined;
    const members = await store.get(groupMembersKey(groupId));
    // members are written with the head: an unchanged head means that they belong to it
    const again = await store.get(groupHeadKey(groupId));
    if (again?.revision === head.revision) return storedGroup(head, members);
  }
  throw new MetadataError("retry", "the group changes too fast to be read");
}

function storedGroup(head: Entry, members: Entry | undefined): StoredGroup {
  const { groupId, snapshot } = unsealHead(head.key, head.value);
  return {
    groupId,
    revision: head.revision,
    snapshot: {
      ...snapshot,
      members: members === undefined ? [] : unsealMembers(members.key, members.value),
    },
  };
}
