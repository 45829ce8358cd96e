/**
 * Produce (key 0): appends one record batch to each of several partitions.
 *
 * Answers when every batch's commit is durable (I1): acks=1 and acks=all mean the same, acks=0 is
 * logged alike and gets no answer. Results are per partition; a refusal that was computed from
 * uncommitted state waits for that state. What isn't committed within `timeoutMs` is answered with
 * REQUEST_TIMED_OUT: it may still be committed, and an idempotent retry is recognised (I6). While
 * the store is unavailable: KAFKA_STORAGE_ERROR at once.
 *
 * Names up to v12, topic ids from v13 on (KIP-516). KIP-951 leader hints: on
 * NOT_LEADER_OR_FOLLOWER.
 */
import { produce } from "../protocol/messages/00_produce.ts";
import type { LooseResponseOf, RequestOf } from "../protocol/api.ts";
import { ErrorCode, type ErrorCodeValue } from "../protocol/errors.ts";
import type { AppendResult, PartitionLog } from "../log/partition.ts";
import type { TopicInfo } from "../metadata/topics.ts";
import { ZERO_UUID } from "../bytes/mod.ts";
import { handler, type RequestContext } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type Request = RequestOf<typeof produce>;
type Response = LooseResponseOf<typeof produce>;
type TopicData = Request["topicData"][number];
type PartitionData = TopicData["partitionData"][number];

/** The append of one partition, or why there was none. */
interface Outcome {
  readonly index: number;
  readonly result: AppendResult;
}

interface TopicOutcome {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: Outcome[];
}

/** With a client's time-out of 0 or less, the wait for a commit is bounded by this all the same. */
const TIMEOUT_MIN_MS = 1_000;

const STORAGE_ERROR_SINCE = 4;

export const produceHandler = {
  ...handler(produce, answerProduce),
  // The batches are copied straight from the frame into the open commit.
  viewsFrame: true as const,
};

async function answerProduce(
  rooms: Rooms,
  context: RequestContext,
  request: Request,
): Promise<Response | undefined> {
  const wanted = request.acks;
  const topics = wanted === 0 || wanted === 1 || wanted === -1
    ? await appendAll(rooms, context, request)
    : refuseAll(rooms, request, ErrorCode.INVALID_REQUIRED_ACKS);
  context.release();
  const commits = new Set<Promise<ErrorCodeValue>>();
  for (const { partitions } of topics) {
    for (const { result } of partitions) {
      if (result.committed !== undefined) commits.add(result.committed);
    }
  }
  const answer = async () => {
    const codes = await settle(rooms, commits, Math.max(request.timeoutMs, TIMEOUT_MIN_MS));
    return respond(rooms, topics, codes, context.apiVersion);
  };
  if (wanted !== 0) return await answer();
  // As in Kafka: a client that wants no answers learns of an error by losing its connection; the
  // server closes it when a handler for acks=0 throws.
  const failed = topics.some((topic) => topic.partitions.some((p) => p.result.errorCode !== 0));
  if (failed) throw new AcksZeroError();
  return undefined;
}

/**
 * An acks=0 produce failed: the connection is closed, so that the client refreshes its metadata.
 */
export class AcksZeroError extends Error {
  override name = "AcksZeroError";
  readonly closesConnection = true;
}

/** Opens every partition, waits for room, then appends in one synchronous step. */
async function appendAll(
  rooms: Rooms,
  context: RequestContext,
  request: Request,
): Promise<TopicOutcome[]> {
  const { logs } = rooms;
  if (logs.refusal !== 0) return refuseAll(rooms, request, logs.refusal);
  const waits: Promise<unknown>[] = [];
  const opened = request.topicData.map((data) => {
    const topic = topicOf(rooms, data);
    const unknown = context.apiVersion >= 13
      ? ErrorCode.UNKNOWN_TOPIC_ID
      : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    return data.partitionData.map((partition) => {
      const log = topic === undefined ? unknown : logs.open(topic.id, partition.index);
      if (log instanceof Promise) waits.push(log);
      return log;
    });
  });
  if (waits.length > 0) await Promise.all(waits);
  const room = logs.room(Math.max(request.timeoutMs, TIMEOUT_MIN_MS));
  const refusal = room instanceof Promise ? await room : room;
  // Resolved promises of loads are the only ones left: collect them before the synchronous step.
  const ready = waits.length === 0
    ? opened as (PartitionLog | ErrorCodeValue)[][]
    : await Promise.all(opened.map((partitions) => Promise.all(partitions)));
  return request.topicData.map((data, at) => ({
    name: data.name,
    topicId: data.topicId,
    partitions: data.partitionData.map((partition, index) => {
      const log = refusal !== 0 ? refusal : ready[at]![index]!;
      if (typeof log === "number") return refuseUnseen(rooms, data, partition, log);
      return append(partition, log, request.transactionalId, context.apiVersion);
    }),
  }));
}

/** By id since version 13, by name before. */
function topicOf({ topics }: Rooms, { name, topicId }: TopicData): TopicInfo | undefined {
  return name === "" ? topics.byId(topicId) : topics.byName(name);
}

function append(
  { index, records }: PartitionData,
  log: PartitionLog,
  transactionalId: string | null,
  produceVersion: number,
): Outcome {
  if (transactionalId !== null) {
    const message = "transactions are not available on this broker";
    return refused(index, ErrorCode.INVALID_TXN_STATE, message);
  }
  if (records === null || records.length === 0) {
    return refused(index, ErrorCode.INVALID_RECORD, "a partition has no record batch");
  }
  return { index, result: log.append(records, 0, records.length, produceVersion) };
}

function refused(index: number, errorCode: ErrorCodeValue, errorMessage: string | null): Outcome {
  return {
    index,
    result: {
      errorCode,
      errorMessage,
      baseOffset: -1,
      logAppendTimeMs: -1,
      logStartOffset: -1,
      committed: undefined,
    },
  };
}

function refuseAll(rooms: Rooms, request: Request, code: ErrorCodeValue): TopicOutcome[] {
  return request.topicData.map((data) => ({
    name: data.name,
    topicId: data.topicId,
    partitions: data.partitionData.map((partition) => refuseUnseen(rooms, data, partition, code)),
  }));
}

/** A refusal without the partition's seeing the batch; what follows it must not come before it. */
function refuseUnseen(
  rooms: Rooms,
  data: TopicData,
  { index, records }: PartitionData,
  code: ErrorCodeValue,
): Outcome {
  // A topic that this broker has not heard of yet may be known when what follows comes.
  const topicId = topicOf(rooms, data)?.id ?? data.topicId;
  if (topicId !== ZERO_UUID) rooms.logs.noteRefused(topicId, index, records);
  return refused(index, code, null);
}

type Codes = Map<Promise<ErrorCodeValue>, ErrorCodeValue>;

/** The result of each commit; REQUEST_TIMED_OUT for those that are still open after `timeoutMs`. */
async function settle(
  rooms: Rooms,
  commits: ReadonlySet<Promise<ErrorCodeValue>>,
  timeoutMs: number,
): Promise<Codes> {
  const codes: Codes = new Map();
  if (commits.size === 0) return codes;
  await new Promise<void>((resolve) => {
    let open = commits.size;
    const timer = rooms.runtime.timers.after(timeoutMs, resolve);
    for (const commit of commits) {
      commit.then((code) => {
        codes.set(commit, code);
        if (--open > 0) return;
        timer.cancel();
        resolve();
      });
    }
  });
  return codes;
}

function respond(
  rooms: Rooms,
  topics: readonly TopicOutcome[],
  codes: Codes,
  version: number,
): Response {
  let moved = false;
  const responses = topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitionResponses: partitions.map(({ index, result }) => {
      const committed = result.committed === undefined
        ? 0
        : codes.get(result.committed) ?? ErrorCode.REQUEST_TIMED_OUT;
      const code = committed !== 0 ? committed : result.errorCode;
      // KIP-112: older clients do not know it, and would give up.
      const unknownCode = code === ErrorCode.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_SINCE;
      const errorCode = unknownCode ? ErrorCode.NOT_LEADER_OR_FOLLOWER : code;
      if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) moved = true;
      const failed = errorCode !== 0;
      return {
        index,
        errorCode,
        baseOffset: failed ? -1 : result.baseOffset,
        logAppendTimeMs: failed ? -1 : result.logAppendTimeMs,
        logStartOffset: result.logStartOffset,
        errorMessage: result.errorMessage,
        ...(errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER
          ? { currentLeader: rooms.cluster.leader(topicId, index) }
          : {}),
      };
    }),
  }));
  return moved ? { responses, nodeEndpoints: rooms.cluster.brokers() } : { responses };
}
