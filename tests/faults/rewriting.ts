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
    this.#before = await this.#segments();
  }

  /** Waits for a segment that was written since the broker's start; milliseconds that it took. */
  async goesOn(): Promise<number> {
    const started = performance.now();
    await waitUntil(
      "a segment that is written since the broker started",
      async () => this.#before.isSupersetOf(await this.#segments()) ? undefined : true,
      REWRITTEN_MS_MAX,
      250,
    );
    return Math.round(performance.now() - started);
  }

  async #segments(): Promise<ReadonlySet<string>> {
    const store = await DRIVERS.s3(bucketOn(this.minio, this.bucket));
    try {
      const keys = await Array.fromAsync(store.list("", undefined), ({ key }) => key);
      return new Set(keys.filter((key) => key.endsWith(".kfs")));
    } finally {
      await store.close();
    }
  }
}
