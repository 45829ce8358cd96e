/** Asks a store how it is: a small real write and a read, bounded in time. */
import type { Runtime } from "../runtime/runtime.ts";
import { type CallOptions, type ObjectStore, StoreError } from "./object_store.ts";

const PROBE_BYTES = 8;

/** What a probe came to. */
export interface ProbeResult {
  readonly writes: boolean;
  readonly reads: boolean;
}

/**
 * Writes a few bytes at `key`, replacing what an earlier probe left, and reads at the same time: a
 * store that has nothing there has answered, too. With `readOnly` it only reads. What takes longer
 * than `limitMs` has failed.
 */
export async function probeStore(
  runtime: Runtime,
  store: ObjectStore,
  key: string,
  limitMs: number,
  signal: AbortSignal,
  readOnly = false,
): Promise<ProbeResult> {
  const abort = new AbortController();
  const timer = runtime.timers.after(limitMs, () => {
    abort.abort(new StoreError("retry", "the probe was not answered in time"));
  });
  const stop = () => abort.abort();
  signal.addEventListener("abort", stop);
  const body = new Uint8Array(PROBE_BYTES);
  runtime.random.fill(body);
  const options: CallOptions = { signal: abort.signal };
  const settled = (call: Promise<unknown>) => call.then(() => true, () => false);
  try {
    if (signal.aborted) return { writes: false, reads: false };
    const [writes, reads] = await Promise.all([
      readOnly ? true : settled(store.put(key, [body], options)),
      settled(store.get(key, undefined, options)),
    ]);
    return { writes, reads };
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", stop);
  }
}
