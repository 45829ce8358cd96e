/** The data of a broker that was killed with much in segments and a little in the commit log. */
import { type Config, resolveConfig } from "../core/config/mod.ts";
import { systemLog, systemRuntime } from "../core/runtime/system.ts";
import { TOPICS_PREFIX } from "../core/metadata/keys.ts";
import { TopicView } from "../core/metadata/topic_view.ts";
import { openData } from "../drivers/mod.ts";
import { fillTopic } from "./fill.ts";
import { ClientConnection, createTopic } from "./load/client_connection.ts";
import * as wire from "./load/wire.ts";
import { startPeer } from "./peers.ts";

export interface KilledOptions {
  readonly dataDir: string;
  /** KAFSCALE_* settings, the bucket's among them. */
  readonly env: Readonly<Record<string, string>>;
  readonly partitions: number;
  /** In all partitions together. */
  readonly segments: number;
  readonly batches: number;
  readonly recordBytes: number;
}

export const TOPIC = "filled";

/** The settings as the broker of `options` has them. */
export function configOf({ dataDir, env }: Pick<KilledOptions, "dataDir" | "env">): Config {
  const result = resolveConfig({ env: { ...env, KAFSCALE_DATA_DIR: dataDir }, flags: {} });
  if (!result.ok) throw new Error(result.errors.join("\n"));
  return result.config;
}

/** Fills, writes one record to every partition, and kills; the bytes in segments. */
export async function leaveKilled(o: KilledOptions): Promise<number> {
  const first = await startPeer("kafscale", o);
  await createTopic(first.port, TOPIC, o.partitions);
  await first.stop();
  const bytes = await fill(o);
  const second = await startPeer("kafscale", o);
  await produceToAll(second.port, o.partitions);
  Deno.kill(second.pid, "SIGKILL");
  await second.stop();
  return bytes;
}

async function fill(o: KilledOptions): Promise<number> {
  const config = configOf(o);
  const runtime = systemRuntime(systemLog("error", true));
  const data = await openData({ config, runtime });
  try {
    const { entries, revision } = await (await data.metadata()).list(TOPICS_PREFIX);
    const topics = new TopicView();
    topics.load(entries, revision);
    const topic = topics.byName(TOPIC)!;
    const segments = o.segments / o.partitions;
    return await fillTopic({
      ...o,
      store: data.store,
      namespace: config.namespace,
      topic,
      segments,
    });
  } finally {
    await data.close();
  }
}

/** One batch to each partition, a hundred partitions in a request. */
export async function produceToAll(port: number, partitions: number): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", port);
  const batch = wire.recordBatch(1, 100, Date.now());
  for (let from = 0; from < partitions; from += 100) {
    const some = Array.from({ length: Math.min(100, partitions - from) }, (_, at) => from + at);
    const frame = new wire.ProduceFrame(TOPIC, some, batch, -1);
    wire.checkProduced(await connection.call(frame.bytes));
  }
  connection.close();
}

/** The first use after a start: the oldest record and the newest of a partition, and one more. */
export async function firstUse(port: number, partition: number, oldRecords: number) {
  const connection = await ClientConnection.open("127.0.0.1", port);
  try {
    for (const offset of [0, oldRecords]) {
      const request = wire.fetchRequest(TOPIC, [{ partition, offset }], 1 << 20, 1 << 16);
      let base = -1;
      wire.readFetched(await connection.call(request), (_partition, first) => {
        if (base < 0) base = first;
      });
      if (base !== offset) throw new Error(`offset ${offset} of partition ${partition}: ${base}`);
    }
    const frame = new wire.ProduceFrame(TOPIC, [partition], wire.recordBatch(1, 100, 0), -1);
    wire.checkProduced(await connection.call(frame.bytes));
  } finally {
    connection.close();
  }
}
