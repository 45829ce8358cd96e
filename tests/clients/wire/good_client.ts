/** A well-behaved client that must not notice what the others do. */
import { assert, assertEquals } from "@std/assert";
import { fetchBody, readFetch } from "./stored_batches.ts";
import { batch, createTopic, produce } from "./produce.ts";
import { RawConnection } from "./raw_connection.ts";

export class GoodClient {
  #running = true;
  #rounds = 0;
  #slowestMs = 0;
  readonly #done: Promise<void>;

  private constructor(readonly connection: RawConnection, readonly topic: string) {
    this.#done = this.#run();
    this.#done.catch(() => {});
  }

  static async start(bootstrap: string): Promise<GoodClient> {
    const connection = await RawConnection.open(bootstrap);
    const topic = `good-${crypto.randomUUID().slice(0, 8)}`;
    assertEquals(await createTopic(connection, topic, 1), 0);
    return new GoodClient(connection, topic);
  }

  /** Rounds done and the slowest since the last call. */
  take(): { rounds: number; slowestMs: number } {
    const taken = { rounds: this.#rounds, slowestMs: Math.round(this.#slowestMs) };
    this.#slowestMs = 0;
    return taken;
  }

  /** Throws what disturbed it. */
  async stop(): Promise<void> {
    this.#running = false;
    try {
      await this.#done;
      assert(this.#rounds > 0);
    } finally {
      this.connection.close();
    }
  }

  /** Produces a record and fetches it, again and again. */
  async #run(): Promise<void> {
    const value = new TextEncoder().encode("good");
    for (let offset = 0; this.#running; offset++) {
      const started = performance.now();
      // A topic just created may not be ready at once.
      let sent = await produce(this.connection, this.topic, 0, batch([value]));
      while (offset === 0 && sent.errorCode === 3) {
        sent = await produce(this.connection, this.topic, 0, batch([value]));
      }
      assertEquals(sent, { errorCode: 0, baseOffset: offset });
      const body = fetchBody(this.topic, 0, offset);
      const { errorCode, batches } = readFetch(await this.connection.request(1, 4, body));
      assertEquals([errorCode, batches[0]?.baseOffset, batches.length], [0, offset, 1]);
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - started);
      this.#rounds++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
