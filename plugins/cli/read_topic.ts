/** Reads partitions without a group: list offsets once, then fetch from each leader. */
import type { Consumer, RecordsBatch } from "@platformatic/kafka";
import { CliError } from "./command.ts";
import type { Patience } from "./patience.ts";

export interface PlainRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [Uint8Array | null, Uint8Array | null])[];
}

export interface ReadOptions {
  /** Undefined: all of them. */
  readonly partition: number | undefined;
  readonly start: "earliest" | "latest" | number;
  /** Whether to wait for more at the end that the topic had when reading began. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Left out: the first failure ends it. */
  readonly patience?: Patience;
}

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;

interface Position {
  readonly partition: number;
  leader: number;
  /** Exclusive; where reading stops unless it follows. */
  readonly end: bigint;
  next: bigint;
}

const EARLIEST = -2n;
const LATEST = -1n;
/** Batch attribute of markers, which are not records. */
const CONTROL = 0b10_0000;
const WAIT_MS = 500;
const FETCH_BYTES = 8 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;

/** The records from `start` on, in order within each partition. */
export async function* readTopic(
  consumer: Consumer,
  topic: string,
  options: ReadOptions,
): AsyncGenerator<PlainRecord> {
  consumer.topics.track(topic);
  const { topicId, positions } = await startPositions(consumer, topic, options);
  options.patience?.begun();
  while (!options.signal.aborted) {
    const wanted = options.follow ? positions : positions.filter(({ next, end }) => next < end);
    if (wanted.length === 0) return;
    for (const node of new Set(wanted.map(({ leader }) => leader))) {
      const mine = wanted.filter(({ leader }) => leader === node);
      const response = await fetchFrom(consumer, node, topicId, mine).catch(async (error) => {
        if (options.patience === undefined) throw error;
        await options.patience.wait(error);
        await findLeaders(consumer, topic, positions).catch(() => {});
      });
      if (response === undefined) break;
      options.patience?.eased();
      for (const position of mine) yield* recordsOf(response, position, options.follow);
    }
  }
}

async function findLeaders(consumer: Consumer, topic: string, positions: readonly Position[]) {
  const metadata = await consumer.metadata({ topics: [topic], forceUpdate: true });
  const found = metadata.topics.get(topic)?.partitions ?? [];
  for (const position of positions) {
    position.leader = found[position.partition]?.leader ?? position.leader;
  }
}

async function startPositions(consumer: Consumer, topic: string, options: ReadOptions) {
  const metadata = await consumer.metadata({ topics: [topic], autocreateTopics: false });
  const found = metadata.topics.get(topic);
  if (found === undefined) throw new CliError(`there is no topic ${topic}; see topics list`);
  if (options.partition !== undefined && options.partition >= found.partitionsCount) {
    throw new CliError(`${topic} has ${found.partitionsCount} partitions, counted from 0`);
  }
  const list = async (timestamp: bigint) =>
    (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic) ?? [];
  const [starts, ends] = [await list(EARLIEST), await list(LATEST)];
  const positions = found.partitions.map(({ leader }, partition): Position => {
    const [first, end] = [starts[partition] ?? 0n, ends[partition] ?? 0n];
    const asked = options.start === "earliest" ? first : options.start === "latest" ? end : null;
    const next = asked ?? clamp(BigInt(options.start), first, end);
    return { partition, leader, end, next };
  });
  const chosen = options.partition === undefined ? positions : [positions[options.partition]!];
  return { topicId: found.id, positions: chosen };
}

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  return value < low ? low : value > high ? high : value;
}

function fetchFrom(
  consumer: Consumer,
  node: number,
  topicId: string,
  positions: readonly Position[],
): Promise<FetchResponse> {
  const partitions = positions.map(({ partition, next }) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: next,
    lastFetchedEpoch: -1,
    partitionMaxBytes: PARTITION_BYTES,
  }));
  return consumer.fetch({
    node,
    topics: [{ topicId, partitions }],
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    maxWaitTime: WAIT_MS,
  });
}

function* recordsOf(
  response: FetchResponse,
  position: Position,
  follow: boolean,
): Generator<PlainRecord> {
  for (const { partitions } of response.responses) {
    const partition = partitions.find((each) => each.partitionIndex === position.partition);
    for (const batch of partition?.records ?? []) {
      yield* recordsOfBatch(batch, position, follow);
      const after = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      if (after > position.next) position.next = after;
    }
  }
}

function* recordsOfBatch(
  batch: RecordsBatch,
  position: Position,
  follow: boolean,
): Generator<PlainRecord> {
  if ((batch.attributes & CONTROL) !== 0) return;
  for (const record of batch.records) {
    const offset = batch.firstOffset + BigInt(record.offsetDelta);
    // a batch comes whole, even when reading starts or ends in the middle of it
    if (offset < position.next || (!follow && offset >= position.end)) continue;
    yield {
      partition: position.partition,
      offset,
      timestampMs: batch.firstTimestamp + record.timestampDelta,
      key: record.key,
      value: record.value,
      headers: record.headers,
    };
  }
}
