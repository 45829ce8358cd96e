/**
 * A storage driver for tests: the file driver in a mood that a file in the data directory tells.
 * Every fifth read that a replica may answer falls back, as if it had one.
 */
import type { DriverOptions } from "../../drivers/mod.ts";
import { LatencyHistogram } from "../../core/runtime/mod.ts";
import { type ObjectStore, StoreError } from "../../core/storage/object_store.ts";
import { openFileStore } from "../../drivers/storage/file/driver.ts";

export type Mood = "well" | "slow" | "throttling" | "down";

export function moodFile(dataDir: string): string {
  return `${dataDir}/mood`;
}

export async function openObjectStore({ config }: DriverOptions): Promise<ObjectStore> {
  const inner = await openFileStore({ dir: `${config.dataDir}/objects`, readOnly: false });
  const replica = {
    reads: 0,
    fallbacks: 0,
    misses: 0,
    failures: 0,
    skipped: 0,
    latency: new LatencyHistogram(),
  };
  const mood = async (): Promise<Mood> =>
    await Deno.readTextFile(moodFile(config.dataDir)).catch(() => "well") as Mood;
  let calls = 0;
  const moody = async <T>(call: () => Promise<T>): Promise<T> => {
    const now = await mood();
    if (now === "down") throw new StoreError("retry", "the store is down");
    if (now === "throttling" && ++calls % 2 === 0) throw new StoreError("throttled", "slow down");
    if (now === "slow") await new Promise((resolve) => setTimeout(resolve, 1_000));
    return await call();
  };
  const read = async <T>(staleOk: boolean, call: () => Promise<T>): Promise<T> => {
    if (!staleOk) return await moody(call);
    const startedMs = performance.now();
    if (++replica.reads % 5 === 0) {
      replica.fallbacks++;
      if (replica.fallbacks % 2 === 0) replica.failures++;
      else replica.misses++;
    }
    const answer = await moody(call);
    replica.latency.observe(performance.now() - startedMs);
    return answer;
  };
  return {
    advice: inner.advice,
    replica,
    putIfAbsent: (key, body, o) => moody(() => inner.putIfAbsent(key, body, o)),
    put: (key, body, o) => moody(() => inner.put(key, body, o)),
    get: (key, range, o) => read(o?.staleOk === true, () => inner.get(key, range, o)),
    list: (prefix, after, o) => inner.list(prefix, after, o),
    delete: (keys, o) => moody(() => inner.delete(keys, o)),
    close: () => inner.close(),
  };
}
