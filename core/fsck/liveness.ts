/** Whether a broker is at work on a bucket, as far as that can be seen from outside. */
import {
  BROKER_CHAINS_PREFIX,
  LIVE_BROKERS_PREFIX,
  liveBrokerOf,
  type MetadataStore,
} from "../metadata/mod.ts";
import { sleep } from "../runtime/sleep.ts";
import { walPrefix } from "../storage/keys.ts";
import { Bucket } from "./bucket.ts";
import type { FsckOptions } from "./fsck.ts";

/** Who writes shows it within this time; who is idle may not. */
const WATCH_MS = 3_000;

/**
 * One clause that names a broker at work; undefined where none can be seen, which is no proof: an
 * idle broker that isn't registered leaves no trace.
 */
export async function brokersAtWork(o: FsckOptions): Promise<string | undefined> {
  const metadata = await o.metadata();
  const [live] = (await metadata.list(LIVE_BROKERS_PREFIX)).entries;
  if (live !== undefined) {
    const { brokerId, host, port } = liveBrokerOf(live);
    return `broker ${brokerId} is registered as running at ${host}:${port}`;
  }
  const before = await traces(o, metadata);
  await sleep(o.runtime.timers, WATCH_MS, o.signal);
  const after = await traces(o, metadata);
  return before === after ? undefined : "a broker is writing to the commit log";
}

/** Changes whenever a broker starts, commits or gives slots up. */
async function traces(o: FsckOptions, metadata: MetadataStore): Promise<string> {
  const { entries } = await metadata.list(BROKER_CHAINS_PREFIX);
  const revisions = entries.map(({ key, revision }) => `${key}@${revision}`);
  const bucket = new Bucket(o.store, o.runtime, o.signal, 1);
  let count = 0;
  let last = "";
  for await (const { key } of bucket.list(walPrefix(o.config.namespace))) {
    count++;
    if (key > last) last = key;
  }
  return [...revisions, count, last].join();
}
