/** Whether a broker rewrites while outages come and go, as its bucket shows it. */
import { waitUntil } from "../clients/wait_until.ts";
import type { Minio } from "../services/minio.ts";
import { bucketOn, DRIVERS } from "../storage/bucket_stores.ts";

/** Longer than a broker leaves clients alone after its start, and a round of rewriting. */
const REWRITTEN_MS_MAX = 60_000;

/** The segments in a bucket, looked at past every proxy. */
export class Rewriting {
  /** When the broker started the last time. */
  #before: ReadonlySet<string> = new Set();

  constructor(readonly minio: Minio, readonly bucket: string) {}

  /** The broker has just started. */
  async restarted(): Promise<void> {
    await using segments = await this.#look();
    this.#before = await segments.list();
  }

  /**
   * Waits for a segment that was written since the broker's start, and for `total` in all;
   * milliseconds that it took.
   */
  async goesOn(total: number): Promise<number> {
    const started = performance.now();
    await using segments = await this.#look();
    await waitUntil(
      `a segment that is written since the broker started, and ${total} in all`,
      async () => {
        const there = await segments.list();
        return there.size < total || this.#before.isSupersetOf(there) ? undefined : true;
      },
      REWRITTEN_MS_MAX,
      250,
    );
    return Math.round(performance.now() - started);
  }

  /** Connections do not outlive it: MinIO may be killed between two looks. */
  async #look() {
    const store = await DRIVERS.s3(bucketOn(this.minio, this.bucket));
    return {
      list: async (): Promise<ReadonlySet<string>> => {
        const keys = await Array.fromAsync(store.list("", undefined), ({ key }) => key);
        return new Set(keys.filter((key) => key.endsWith(".kfs")));
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  }
}
