/** What each method of the control service does. */
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import type { BrokerView, Log, PartitionName } from "../../core/plugin/mod.ts";
import { BEARER_FAULTS, bearerFault } from "../http/mod.ts";
import { AssignmentFeed } from "./assignment_feed.ts";
import type { MetricsFeed } from "./metrics_feed.ts";
import type { DrainRequest, FlushRequest, PartitionRef } from "./schema.ts";

export interface ControlScene {
  readonly broker: BrokerView;
  readonly log: Log;
  /** Null: nothing can be changed. */
  readonly token: string | null;
  readonly feed: MetricsFeed;
}

type Unary = handleUnaryCall<object, object>;
type Streaming = handleServerStreamingCall<object, object>;

/** What a call is refused with. */
class Refusal extends Error {
  constructor(readonly code: status, message: string) {
    super(message);
  }
}

const INTERVAL_MIN_MS = 100;
const INTERVAL_MS = 1_000;
/** Bytes that a reader may leave behind in a stream before it is ended. */
const BEHIND_BYTES_MAX = 4 << 20;

export function callHandlers(scene: ControlScene) {
  const ends = new Set<() => void>();
  const control = {
    GetStatus: unary(scene, false, () => brokerStatus(scene.broker)),
    DrainPartitions: unary(scene, true, (asked) => drain(scene, asked as DrainRequest)),
    TriggerFlush: unary(scene, true, (asked) => flush(scene.broker, asked as FlushRequest)),
    StreamMetrics: streaming(scene, ends, (call) => streamMetrics(scene, call)),
  };
  const assignments = {
    WatchAssignments: streaming(scene, ends, (call) => watchAssignments(scene, call)),
  };
  /** Ends every stream that is open. */
  const end = () => {
    for (const each of [...ends]) each();
  };
  return { control, assignments, end };
}

function unary(
  scene: ControlScene,
  changes: boolean,
  run: (request: object) => Promise<object>,
): Unary {
  return async (call, answer) => {
    try {
      if (changes) checkToken(call.metadata, scene);
      if (changes) scene.log.info("an operator asks for a change", { of: call.getPath() });
      answer(null, await run(call.request));
    } catch (error) {
      answer(problem(error, scene.log));
    }
  };
}

/** `open` begins to write and returns what ends that. */
function streaming(
  scene: ControlScene,
  ends: Set<() => void>,
  open: (call: ServerWritableStream<object, object>) => () => void,
): Streaming {
  return (call) => {
    try {
      const close = open(call);
      const end = () => {
        ends.delete(end);
        close();
        call.end();
      };
      ends.add(end);
      for (const event of ["cancelled", "close", "error"]) call.on(event, end);
    } catch (error) {
      call.destroy(Object.assign(new Error(), problem(error, scene.log)));
    }
  };
}

function checkToken(metadata: Metadata, { token }: ControlScene): void {
  const fault = bearerFault(String(metadata.get("authorization")[0] ?? ""), token);
  if (fault === undefined) return;
  const code = fault === "unset" ? status.PERMISSION_DENIED : status.UNAUTHENTICATED;
  throw new Refusal(code, BEARER_FAULTS[fault]);
}

function problem(error: unknown, log: Log): { code: status; details: string } {
  if (error instanceof Refusal) return { code: error.code, details: error.message };
  log.error("a call of the control service failed", { error });
  return { code: status.INTERNAL, details: "the call failed; the broker's log says why" };
}

async function brokerStatus(broker: BrokerView): Promise<object> {
  const partitions: object[] = [];
  for (const topic of broker.topics()) {
    const { name, partitionCount } = topic;
    for (const { partition, leader, log } of await broker.partitions(topic, 0, partitionCount)) {
      if (leader !== broker.identity.brokerId) continue;
      partitions.push({
        topic: name,
        partition,
        leader: true,
        state: log === null ? "unavailable" : "online",
        log_start_offset: log?.logStartOffset ?? 0,
        log_end_offset: log?.logEndOffset ?? 0,
        high_watermark: log?.highWatermark ?? 0,
      });
    }
  }
  return {
    broker_id: String(broker.identity.brokerId),
    version: broker.identity.version,
    ready: broker.readiness().ready && broker.store.health().state !== "unavailable",
    partitions,
    state: broker.state(),
  };
}

/** Partitions that this broker leads. */
function led(broker: BrokerView): PartitionRef[] {
  const { brokerId } = broker.identity;
  return [...broker.leaders()].filter(({ leader }) => leader === brokerId)
    .map(({ topic, partition }) => ({ topic, partition }));
}

async function drain({ broker, log }: ControlScene, asked: DrainRequest): Promise<object> {
  const { partitions, reason, deadline_seconds: seconds } = asked;
  if (seconds < 0) throw new Refusal(status.INVALID_ARGUMENT, "deadline_seconds is negative");
  log.info("drains", { reason, partitions: partitions.length === 0 ? "all" : partitions.length });
  const timeoutMs = seconds === 0 ? undefined : seconds * 1_000;
  const before = led(broker);
  try {
    if (partitions.length > 0) {
      const wanted = before.filter(among(partitions));
      const pending = await broker.giveAway(partitions, timeoutMs);
      return { drained: wanted.filter((each) => !among(pending)(each)), pending };
    }
    const { left } = await broker.drain(timeoutMs);
    if (left === 0) return { drained: before, pending: [] };
    const pending = led(broker);
    return { drained: before.filter((each) => !among(pending)(each)), pending };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Refusal(status.FAILED_PRECONDITION, why);
  }
}

async function flush(broker: BrokerView, asked: FlushRequest): Promise<object> {
  const { partitions, all_assigned: all } = asked;
  if (partitions.length === 0 && !all) {
    throw new Refusal(status.INVALID_ARGUMENT, "name partitions, or set all_assigned");
  }
  const here = led(broker);
  const flushed = all ? here : here.filter(among(partitions));
  if (flushed.length === 0 && !all) {
    throw new Refusal(status.FAILED_PRECONDITION, "this broker leads none of these partitions");
  }
  try {
    await broker.flush();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Refusal(status.FAILED_PRECONDITION, `the flush was not completed: ${why}`);
  }
  return { flushed };
}

function among(partitions: readonly PartitionName[]): (each: PartitionName) => boolean {
  const names = new Set(partitions.map(({ topic, partition }) => `${topic}/${partition}`));
  return ({ topic, partition }) => names.has(`${topic}/${partition}`);
}

type Stream = ServerWritableStream<object, object>;

/** Writes, or ends the stream of a reader that has fallen behind. */
function write(call: Stream, message: object): void {
  if (call.writableLength > BEHIND_BYTES_MAX) {
    const details = "the reader is too slow";
    call.destroy(Object.assign(new Error(details), { code: status.RESOURCE_EXHAUSTED, details }));
  } else call.write(message);
}

function streamMetrics({ feed, log }: ControlScene, call: Stream): () => void {
  const asked = (call.request as { interval_ms: number }).interval_ms;
  if (asked !== 0 && asked < INTERVAL_MIN_MS) {
    throw new Refusal(status.INVALID_ARGUMENT, `interval_ms must be ${INTERVAL_MIN_MS} or more`);
  }
  const close = feed.open();
  let sampling = false;
  let open = true;
  const next = async () => {
    if (sampling) return;
    sampling = true;
    try {
      const sample = await feed.sample();
      if (open) write(call, sample);
    } catch (error) {
      log.error("metrics cannot be streamed", { error });
    } finally {
      sampling = false;
    }
  };
  void next();
  const timer = setInterval(next, asked || INTERVAL_MS);
  return () => {
    open = false;
    clearInterval(timer);
    close();
  };
}

function watchAssignments({ broker }: ControlScene, call: Stream): () => void {
  const { broker_id: only } = call.request as { broker_id: string };
  if (only !== "" && !/^\d{1,10}$/.test(only)) {
    throw new Refusal(status.INVALID_ARGUMENT, `broker_id must be a number; got ${only}`);
  }
  const feed = new AssignmentFeed(
    broker,
    only === "" ? undefined : Number(only),
    (event) => write(call, event),
  );
  return () => feed.stop();
}
