/** The consuming side: N connections divide the partitions and read each from start to end. */
import { ClientConnection } from "./client_connection.ts";
import type { LoadResult } from "./produce_load.ts";
import * as wire from "./wire.ts";

export interface FetchOptions {
  readonly port: number;
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  /** Limits of one Fetch; the Java consumer's are 50 MiB and 1 MiB. */
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  /** Checks each batch's checksum. */
  readonly verify: boolean;
}

export async function fetchLoad(options: FetchOptions): Promise<LoadResult> {
  const first = await ClientConnection.open("127.0.0.1", options.port);
  const { topic, partitions } = options;
  const ends = wire.readListOffsets(await first.call(wire.listOffsets(topic, partitions, -1)));
  const starts = wire.readListOffsets(await first.call(wire.listOffsets(topic, partitions, -2)));
  first.close();
  const latencies: number[] = [];
  const total = { bytes: 0, records: 0 };
  const started = performance.now();
  const lanes = Array.from({ length: options.connections }, (_, lane) => lane);
  await Promise.all(lanes.map(async (lane) => {
    const offsets = new Map(
      starts.map((offset, partition) => [partition, offset] as const)
        .filter(([partition]) => partition % options.connections === lane),
    );
    await readAll(options, offsets, ends, total, latencies);
  }));
  const seconds = (performance.now() - started) / 1000;
  const latenciesMs = Float64Array.from(latencies).sort();
  return { ...total, requests: latencies.length, seconds, latenciesMs };
}

/** Throws at a gap, an overlap, or a batch that is not what its checksum says. */
async function readAll(
  options: FetchOptions,
  offsets: Map<number, number>,
  ends: readonly number[],
  total: { bytes: number; records: number },
  latencies: number[],
): Promise<void> {
  const connection = await ClientConnection.open("127.0.0.1", options.port);
  try {
    for (;;) {
      const from = [...offsets].filter(([partition, offset]) => offset < ends[partition]!)
        .map(([partition, offset]) => ({ partition, offset }));
      if (from.length === 0) return;
      const asked = performance.now();
      const reader = await connection.call(
        wire.fetchRequest(options.topic, from, options.bytesMax, options.partitionBytesMax),
      );
      latencies.push(performance.now() - asked);
      wire.readFetched(reader, (partition, base, next, start, end) => {
        if (base !== offsets.get(partition)) {
          throw new Error(`partition ${partition}: offset ${base} after ${offsets.get(partition)}`);
        }
        if (options.verify && !wire.batchIsWhole(reader.bytes, start, end)) {
          throw new Error(`partition ${partition}: checksum of the batch at ${base} is wrong`);
        }
        offsets.set(partition, next);
        total.bytes += end - start;
        total.records += next - base;
      });
      // A broker that puts partitions in the order asked would starve the last ones.
      for (const { partition, offset } of from.slice(0, 1)) {
        const now = offsets.get(partition) ?? offset;
        offsets.delete(partition);
        offsets.set(partition, now);
      }
    }
  } finally {
    connection.close();
  }
}
