/**
 * Fetch (key 1), versions 4 to 18.
 *
 *     Fetch => max_wait min_bytes max_bytes isolation session_id session_epoch
 *              [topic [partition leader_epoch offset last_fetched_epoch max_bytes]] [forgotten]
 *
 * Waits until min_bytes can be read or max_wait is over; a partition with an error ends the wait,
 * but for KAFKA_STORAGE_ERROR, which is told after a moment where there is nothing else to tell.
 * Returns whole batches as they are stored: at least one, even above the limits, if there is one
 * (KIP-74). v7: fetch sessions (KIP-227). v9: leader epochs (KIP-320). v12: diverging epochs
 * (KIP-595). v13: topic ids (KIP-516). v16: the leader in answers of a non-leader (KIP-951).
 * v11: a reader with a rack is sent to a broker there that follows the leader (KIP-392), and read
 * from as a follower where this broker does not lead: a position that it has not seen committed yet
 * is OFFSET_NOT_AVAILABLE after a moment, which sends the reader to the leader. OFFSET_OUT_OF_RANGE
 * behind the log's end is told only by who proves that it leads still. Not done: replicas
 * as fetchers (treated as consumers: they see committed records only).
 */
import { FETCH_READS_PARALLEL, STORAGE_ERROR_PAUSE_MS } from "../config/limits.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode } from "../protocol/errors.ts";
import { fetch } from "../protocol/messages/01_fetch.ts";
import { sleep } from "../runtime/mod.ts";
import { readerOf } from "./fetch/referrals.ts";
import { findLogs, PartitionFetch } from "./fetch/partition_fetch.ts";
import { readPartitions } from "./fetch/read.ts";
import { waitForBytes, waitForFollowers } from "./fetch/wait.ts";
import { handler, type RequestContext } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof fetch>;
type Response = LooseResponseOf<typeof fetch>;
type TopicResponse = NonNullable<Response["responses"]>[number];
type PartitionResponse = NonNullable<TopicResponse["partitions"]>[number];

const TOPIC_IDS_SINCE = 13;
const RACKS_SINCE = 11;
const STORAGE_ERROR_SINCE = 6;
const READ_COMMITTED = 1;

export const fetchHandler = handler(fetch, serveFetch);

async function serveFetch(
  rooms: Rooms,
  context: RequestContext,
  request: Request,
): Promise<Response> {
  const { apiVersion, signal } = context;
  const plan = rooms.fetchSessions.plan(request, apiVersion);
  if (typeof plan === "number") return { errorCode: plan, sessionId: 0 };
  const byId = apiVersion >= TOPIC_IDS_SINCE;
  const fetches = plan.targets.map((target) => new PartitionFetch(target));
  const withRack = apiVersion >= RACKS_SINCE && request.rackId !== "";
  await findLogs(rooms, fetches, byId, FETCH_READS_PARALLEL, withRack);
  if (withRack) {
    await waitForFollowers(rooms.runtime, fetches, request.maxWaitMs, signal);
    for (const one of fetches) one.check();
    refer(rooms, context, fetches, request.rackId);
  }
  const isolation = request.isolationLevel === READ_COMMITTED
    ? "read_committed"
    : "read_uncommitted";
  const maxBytes = Math.min(request.maxBytes, rooms.config.fetchMaxBytes);
  const minBytes = Math.min(request.minBytes, maxBytes);
  if (fetches.length > 0 && fetches.every((one) => one.readable)) {
    const { maxWaitMs } = request;
    await waitForBytes(rooms.runtime, fetches, { isolation, minBytes, maxWaitMs, signal });
    for (const one of fetches) one.check();
  }
  for (const one of fetches) one.giveUpBehind();
  if (!signal.aborted) {
    const { fetchBytes, runtime } = rooms;
    await readPartitions(context, fetches, isolation, maxBytes, fetchBytes, runtime.log);
  }
  const denying = fetches.filter((one) => one.deniesWhatFollows);
  if (denying.length > 0) await Promise.all(denying.map((one) => one.confirm()));
  if (request.maxWaitMs > 0 && failsForTheStore(fetches)) {
    const pauseMs = Math.min(request.maxWaitMs, STORAGE_ERROR_PAUSE_MS);
    await sleep(rooms.runtime.timers, pauseMs, signal);
  }
  const { errorCode, sessionId, named } = plan.conclude(fetches);
  return {
    errorCode,
    sessionId,
    responses: groupByTopic(rooms, fetches, named, apiVersion),
    nodeEndpoints: fetches.some((one) => namesLeader(one)) ? endpoints(rooms) : [],
  };
}

/** Sends the reader of partitions that are led here to where its rack has them. */
function refer(
  rooms: Rooms,
  context: RequestContext,
  fetches: readonly PartitionFetch[],
  rack: string,
): void {
  for (const one of fetches) {
    if (!one.readable || one.log!.following) continue;
    const { topicId, partition } = one.log!;
    const replica = rooms.cluster.readReplica(topicId, partition, rack);
    if (replica < 0) continue;
    const reader = readerOf(context, rack, topicId, partition);
    if (!rooms.referrals.refer(reader, one.target.fetchOffset)) continue;
    one.preferredReadReplica = replica;
  }
}

/** Whether the store's being away is all that there is to tell. */
function failsForTheStore(fetches: readonly PartitionFetch[]): boolean {
  return fetches.some((one) => one.errorCode === ErrorCode.KAFKA_STORAGE_ERROR) &&
    fetches.every((one) => one.bytes === 0);
}

/** Neighbours of one topic share an entry; the order stays the order of reading. */
function groupByTopic(
  rooms: Rooms,
  fetches: readonly PartitionFetch[],
  named: readonly boolean[] | undefined,
  version: number,
): TopicResponse[] {
  const byId = version >= TOPIC_IDS_SINCE;
  const topics: TopicResponse[] = [];
  let topicKey: string | undefined;
  let partitions: PartitionResponse[] = [];
  fetches.forEach((one, index) => {
    if (named !== undefined && !named[index]) return;
    if (one.target.topicKey !== topicKey) {
      topicKey = one.target.topicKey;
      partitions = [];
      topics.push(byId ? { topicId: topicKey, partitions } : { topic: topicKey, partitions });
    }
    partitions.push(partitionResponse(rooms, one, version));
  });
  return topics;
}

function partitionResponse(
  rooms: Rooms,
  one: PartitionFetch,
  version: number,
): PartitionResponse {
  // KIP-112: older clients do not know it, and would give up.
  const unknownCode = one.errorCode === ErrorCode.KAFKA_STORAGE_ERROR &&
    version < STORAGE_ERROR_SINCE;
  const response: PartitionResponse = {
    partitionIndex: one.target.partition,
    errorCode: unknownCode ? ErrorCode.NOT_LEADER_OR_FOLLOWER : one.errorCode,
    highWatermark: one.highWatermark,
    lastStableOffset: one.lastStableOffset,
    logStartOffset: one.logStartOffset,
    preferredReadReplica: one.preferredReadReplica,
    abortedTransactions: one.result?.abortedTransactions ?? null,
    records: one.errorCode === 0 && one.result !== undefined ? one.result.records : [],
  };
  if (one.divergingEpoch !== undefined) {
    return { ...response, divergingEpoch: one.divergingEpoch };
  }
  if (!namesLeader(one)) return response;
  const topicId = one.log?.topicId ?? rooms.topics.byName(one.target.topicKey)?.id ??
    one.target.topicKey;
  return { ...response, currentLeader: rooms.cluster.leader(topicId, one.target.partition) };
}

/** KIP-951: these answers tell who leads, so that the client need not ask. */
function namesLeader(one: PartitionFetch): boolean {
  return one.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ||
    one.errorCode === ErrorCode.FENCED_LEADER_EPOCH;
}

function endpoints(rooms: Rooms): NonNullable<Response["nodeEndpoints"]> {
  return rooms.cluster.brokers().map(({ nodeId, host, port, rack }) => ({
    nodeId,
    host,
    port,
    rack,
  }));
}
