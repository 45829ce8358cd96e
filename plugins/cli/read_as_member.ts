/** Reads a topic as a member of a group, over restarts and hand-overs of brokers. */
import type { Consumer } from "@platformatic/kafka";
import { askCoordinator } from "./client.ts";
import type { Patience } from "./patience.ts";
import type { PlainRecord } from "./read_topic.ts";

const COMMIT_EVERY_MS = 5_000;

export interface MemberOptions {
  readonly newConsumer: () => Consumer;
  readonly topic: string;
  /** Where the group has no committed offset. */
  readonly from: "earliest" | "latest";
  readonly signal: AbortSignal;
  readonly patience: Patience;
}

/** The group's coordinator heard nothing of this member, or said nothing, for long. */
class Unheard extends Error {
  override message = "the group's coordinator does not answer";
  readonly canRetry = true;
}

/**
 * Joins the group, again where that is lost; what was handed out is committed from time to time,
 * and at the end. What could not be committed before a failure is handed out again.
 */
export async function* readAsMember(options: MemberOptions): AsyncGenerator<PlainRecord> {
  let consumer = options.newConsumer();
  try {
    for (;;) {
      try {
        return yield* oneStream(consumer, options);
      } catch (error) {
        await options.patience.wait(error);
      }
      // else it is a member still: as another one it would wait until the group has given it up
      if (!consumer.isActive()) {
        await consumer.close(true).catch(() => {});
        consumer = options.newConsumer();
      }
    }
  } finally {
    await consumer.close(true).catch(() => {});
  }
}

async function* oneStream(
  consumer: Consumer,
  { topic, from, signal, patience }: MemberOptions,
): AsyncGenerator<PlainRecord> {
  const stream = await consumer.consume({
    topics: [topic],
    mode: "committed",
    fallbackMode: from,
    autocommit: false,
  });
  patience.begun();
  const stop = () => void stream.close();
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const positions = new Map<number, { offset: bigint; leaderEpoch: number }>();
  const joined = () => keepOnly(positions, assigned(consumer, topic));
  consumer.on("consumer:group:join", joined);
  // the client would go on reading, as nobody's member
  const unheard = () => void stream.destroy(new Unheard());
  consumer.on("consumer:heartbeat:stalled", unheard);
  const commit = async () => {
    const taken = [...positions];
    const offsets = taken.map(([partition, at]) => ({ topic, partition, ...at }));
    if (offsets.length > 0) await consumer.commit({ offsets });
    for (const [partition, at] of taken) {
      if (positions.get(partition) === at) positions.delete(partition);
    }
  };
  const every = setInterval(() => void commit().catch(() => {}), COMMIT_EVERY_MS);
  try {
    for await (const message of stream) {
      patience.eased();
      // before the yield: whoever has enough never comes back behind it
      positions.set(message.partition, {
        offset: message.offset + 1n,
        leaderEpoch: message.leaderEpoch,
      });
      yield {
        partition: message.partition,
        offset: message.offset,
        timestampMs: message.timestamp,
        key: message.key ?? null,
        value: message.value ?? null,
        headers: message.headerEntries,
      };
    }
  } finally {
    clearInterval(every);
    signal.removeEventListener("abort", stop);
    consumer.off("consumer:group:join", joined);
    consumer.off("consumer:heartbeat:stalled", unheard);
    await askCoordinator(commit);
    await stream.close();
  }
}

function assigned(consumer: Consumer, topic: string): ReadonlySet<number> {
  const found = consumer.assignments?.find((each) => each.topic === topic);
  return new Set(found?.partitions);
}

/** Others' partitions are others' to commit. */
function keepOnly(positions: Map<number, unknown>, partitions: ReadonlySet<number>): void {
  for (const partition of positions.keys()) {
    if (!partitions.has(partition)) positions.delete(partition);
  }
}
