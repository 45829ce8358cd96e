/**
 * A reader that follows a topic through every outage, and at the end compares what it saw with what
 * is stored: what a consumer has once seen must stay, at its offset.
 */
import { assertEquals } from "@std/assert";
import { RawConnection } from "./raw_connection.ts";
import { fetchBody, type Fetched, readFetch } from "./stored_batches.ts";

export class VisibleBatches {
  /** CRC by "partition/base offset". */
  readonly #seen = new Map<string, number>();
  readonly #next: number[];
  readonly #highWatermarks: number[];
  readonly #done: Promise<void>;
  #running = true;
  #broken: unknown;

  constructor(readonly bootstrap: string, readonly topic: string, readonly partitions: number) {
    this.#next = Array(partitions).fill(0);
    this.#highWatermarks = Array(partitions).fill(0);
    this.#done = this.#follow();
  }

  stop(): void {
    this.#running = false;
  }

  /** Reads everything again and compares; how many batches were compared. */
  async check(): Promise<number> {
    this.stop();
    await this.#done;
    if (this.#broken !== undefined) throw this.#broken;
    const stored = new Map<string, number>();
    using connection = await RawConnection.open(this.bootstrap);
    for (let partition = 0; partition < this.partitions; partition++) {
      for (let offset = 0;;) {
        const { batches } = await this.#fetch(connection, partition, offset, 0);
        for (const { baseOffset, crc } of batches) stored.set(`${partition}/${baseOffset}`, crc);
        const last = batches.at(-1);
        if (last === undefined) break;
        offset = last.baseOffset + last.recordCount;
      }
    }
    for (const [place, crc] of this.#seen) {
      assertEquals(stored.get(place), crc, `batch at ${place}`);
    }
    return this.#seen.size;
  }

  async #follow(): Promise<void> {
    while (this.#running) {
      try {
        using connection = await RawConnection.open(this.bootstrap);
        while (this.#running) await this.#round(connection);
      } catch {
        // The broker is down: again in a moment.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #round(connection: RawConnection): Promise<void> {
    for (let partition = 0; partition < this.partitions; partition++) {
      const offset = this.#next[partition] ?? 0;
      const fetched = await this.#fetch(connection, partition, offset, 20);
      if (fetched.errorCode !== 0) {
        if (fetched.errorCode === 1) this.#breaks(`offset ${offset} of ${partition} is gone`);
        continue;
      }
      const before = this.#highWatermarks[partition] ?? 0;
      if (fetched.highWatermark < before) {
        this.#breaks(
          `high watermark of ${partition} fell from ${before} to ${fetched.highWatermark}`,
        );
      }
      this.#highWatermarks[partition] = fetched.highWatermark;
      for (const { baseOffset, crc, recordCount } of fetched.batches) {
        this.#seen.set(`${partition}/${baseOffset}`, crc);
        this.#next[partition] = baseOffset + recordCount;
      }
    }
  }

  #breaks(text: string): void {
    this.#broken ??= new Error(text);
  }

  async #fetch(
    connection: RawConnection,
    partition: number,
    offset: number,
    waitMs: number,
  ): Promise<Fetched> {
    const body = fetchBody(this.topic, partition, offset, waitMs);
    return readFetch(await connection.request(1, 4, body));
  }
}
