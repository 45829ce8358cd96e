/** Raw producers to single partitions of a cluster that look for the leader themselves. */
import { RawWriter } from "../../tests/clients/wire/bytes.ts";
import { batch, readProduce } from "../../tests/clients/wire/produce.ts";
import { RawConnection } from "../../tests/clients/wire/raw_connection.ts";

const VALUE = batch([new TextEncoder().encode("x")]);
const TRY_AGAIN_MS = 5;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Produce v3 of one record to each of `partitions`; those that took it. */
export async function produceToEach(
  at: RawConnection,
  topic: string,
  partitions: readonly number[],
): Promise<number[]> {
  const body = new RawWriter().string(null).int16(-1).int32(5_000).int32(1).string(topic)
    .int32(partitions.length);
  for (const partition of partitions) body.int32(partition).int32(VALUE.length).raw(VALUE);
  const answer = await at.request(0, 3, body);
  answer.int32();
  answer.string();
  const taken: number[] = [];
  for (let left = answer.int32(); left > 0; left--) {
    const partition = answer.int32();
    if (answer.int16() === 0) taken.push(partition);
    answer.raw(16);
  }
  return taken;
}

/** Produces a record at a time, and asks the next broker when one refuses, until stopped. */
export class MovingProducer {
  /** Between two acknowledgements. */
  longestGapMs = 0;
  moves = 0;
  acknowledged = 0;
  #running = true;
  readonly #done: Promise<void>;

  constructor(
    readonly bootstraps: readonly string[],
    readonly topic: string,
    readonly partition: number,
  ) {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  /** Forgets the gap so far. */
  reset(): void {
    this.longestGapMs = 0;
    this.moves = 0;
  }

  async #run(): Promise<void> {
    const connections = new Map<string, RawConnection>();
    let last = performance.now();
    for (let at = 0, ledBy = -1; this.#running;) {
      const broker = this.bootstraps[at % this.bootstraps.length]!;
      if (await this.#produce(connections, broker)) {
        if (ledBy >= 0 && ledBy !== at % this.bootstraps.length) this.moves++;
        ledBy = at % this.bootstraps.length;
        const now = performance.now();
        if (this.acknowledged++ > 0) this.longestGapMs = Math.max(this.longestGapMs, now - last);
        last = now;
      } else {
        at++;
        await pause(TRY_AGAIN_MS);
      }
    }
    for (const connection of connections.values()) connection.close();
  }

  async #produce(connections: Map<string, RawConnection>, broker: string): Promise<boolean> {
    try {
      let connection = connections.get(broker);
      if (connection === undefined) {
        connections.set(broker, connection = await RawConnection.open(broker));
      }
      const body = new RawWriter().string(null).int16(-1).int32(5_000).int32(1)
        .string(this.topic).int32(1).int32(this.partition).int32(VALUE.length).raw(VALUE);
      return readProduce(await connection.request(0, 3, body)).errorCode === 0;
    } catch {
      connections.get(broker)?.close();
      connections.delete(broker);
      return false;
    }
  }
}
