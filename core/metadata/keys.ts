/**
 * The one table of metadata keys. Names that people choose (topics, groups) come last in a key, as
 * they are: a prefix of ours never ends inside one, and keys are compared as whole strings.
 *
 *     cluster                          ClusterIdentity      made once
 *     generation                       MetadataGeneration   once metadata was restored
 *     topics/live/<name>               TopicConfig          one key a topic
 *     topics/used/<name>               TopicNameUsed        a topic of that name was deleted
 *     topics/deleted/<topic id>        TopicDeletion        until its objects are gone
 *     producer_ids                     ProducerIdCounter    next id that nobody has reserved
 *     brokers/chains/<broker id>       BrokerChains         epoch counter and WAL chains
 *     brokers/live/<broker id>         BrokerRegistration   under the broker's lease
 *     controller                       Controller           under the controller's lease
 *     assign/<topic id>                TopicAssignment      one key a topic; and `coordinators`
 *     groups/head/<group id>           ConsumerGroup        put by every write of a group
 *     groups/members/<group id>        ConsumerGroupMembers while it has members
 *     offsets/<group id's length>/<group id>/<topic>/<partition>   CommittedOffset
 */
export const CLUSTER_KEY = "cluster";
export const GENERATION_KEY = "generation";
export const CONTROLLER_KEY = "controller";
export const ASSIGNMENTS_PREFIX = "assign/";
export const PRODUCER_IDS_KEY = "producer_ids";

/** Everything about topics; one list and one watch see all three kinds. */
export const TOPICS_PREFIX = "topics/";
export const LIVE_TOPICS_PREFIX = "topics/live/";
export const USED_NAMES_PREFIX = "topics/used/";
export const TOPIC_DELETIONS_PREFIX = "topics/deleted/";
export const BROKER_CHAINS_PREFIX = "brokers/chains/";
export const LIVE_BROKERS_PREFIX = "brokers/live/";
/** Heads and members; one list sees both as of one revision. */
export const GROUPS_PREFIX = "groups/";
export const GROUP_HEADS_PREFIX = "groups/head/";
export const GROUP_MEMBERS_PREFIX = "groups/members/";

export function topicKey(name: string): string {
  return LIVE_TOPICS_PREFIX + name;
}

export function assignmentKey(topicId: string): string {
  return ASSIGNMENTS_PREFIX + topicId;
}

export function usedNameKey(name: string): string {
  return USED_NAMES_PREFIX + name;
}

export function topicDeletionKey(topicId: string): string {
  return TOPIC_DELETIONS_PREFIX + topicId;
}

export function brokerChainsKey(brokerId: number): string {
  return BROKER_CHAINS_PREFIX + brokerId;
}

export function liveBrokerKey(brokerId: number): string {
  return LIVE_BROKERS_PREFIX + brokerId;
}

/** A group id as part of a key: any text, except that NUL would end it for SQLite. */
function groupPart(groupId: string): string {
  return groupId.replaceAll("%", "%25").replaceAll("\0", "%00");
}

export function groupHeadKey(groupId: string): string {
  return GROUP_HEADS_PREFIX + groupPart(groupId);
}

export function groupMembersKey(groupId: string): string {
  return GROUP_MEMBERS_PREFIX + groupPart(groupId);
}

/** The length, in UTF-16 units, keeps groups apart: else `a` would be a prefix of `a/b`. */
export function offsetsPrefix(groupId: string): string {
  const part = groupPart(groupId);
  return `offsets/${part.length}/${part}/`;
}

export function offsetKey(groupId: string, topic: string, partition: number): string {
  return `${offsetsPrefix(groupId)}${topic}/${partition}`;
}

/** Topic and partition of a key below `offsetsPrefix(groupId)`; undefined for another shape. */
export function offsetOfKey(
  groupId: string,
  key: string,
): { topic: string; partition: number } | undefined {
  const match = /^([^/]+)\/(\d+)$/.exec(key.slice(offsetsPrefix(groupId).length));
  return match === null ? undefined : { topic: match[1]!, partition: Number(match[2]) };
}
