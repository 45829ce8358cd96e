/**
 * End-to-end latency of one record at a time, as a consumer at the end of the log sees it: a Fetch
 * is outstanding, a record is produced, and the clock stops when it has been acknowledged and
 * fetched. Kafka's own EndToEndLatency does the same through its clients, but prints percentiles in
 * whole milliseconds, too coarse on a loopback.
 */
import { ClientConnection } from "./client_connection.ts";
import * as wire from "./wire.ts";

export interface RoundTripOptions {
  readonly port: number;
  /** Exists, with one partition. */
  readonly topic: string;
  readonly acks: number;
  readonly recordBytes: number;
  readonly messages: number;
  /** Not counted, at the beginning. */
  readonly warmUp: number;
}

/** Milliseconds of each round trip, ascending. Throws when a fetch does not bring the record. */
export async function roundTrips(options: RoundTripOptions): Promise<Float64Array> {
  const { port, topic, acks, messages, warmUp } = options;
  const producer = await ClientConnection.open("127.0.0.1", port);
  const consumer = await ClientConnection.open("127.0.0.1", port);
  try {
    const batch = wire.recordBatch(1, options.recordBytes, Date.now());
    const { bytes } = new wire.ProduceFrame(topic, [0], batch, acks);
    let [offset] = wire.readListOffsets(await consumer.call(wire.listOffsets(topic, 1, -1)));
    const times = new Float64Array(messages);
    for (let index = -warmUp; index < messages; index++) {
      const from = [{ partition: 0, offset: offset! }];
      await consumer.send(wire.fetchRequest(topic, from, 2 ** 20, 2 ** 20));
      // So that the broker has the Fetch before the record.
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
      const started = performance.now();
      const acknowledged = producer.call(bytes).then(wire.checkProduced);
      const wanted = offset! + 1;
      while (offset! < wanted) {
        const reader = await consumer.receive();
        wire.readFetched(reader, (_partition, _base, next) => offset = next);
        // The wait of the Fetch may have run out just before.
        if (offset! < wanted) {
          await consumer.send(wire.fetchRequest(topic, from, 2 ** 20, 2 ** 20));
        }
      }
      await acknowledged;
      if (index >= 0) times[index] = performance.now() - started;
    }
    return times.sort();
  } finally {
    producer.close();
    consumer.close();
  }
}
