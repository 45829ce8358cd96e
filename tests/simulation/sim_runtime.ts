/** A core Runtime for one simulated process; and stores as such a process reaches them. */
import type { Log, LogFields, Runtime } from "../../core/runtime/mod.ts";
import type {
  Lease,
  MetadataStore,
  Op,
  Transaction,
  WatchBatch,
} from "../../core/metadata/metadata_store.ts";
import type { ObjectInfo, ObjectStore } from "../../core/storage/object_store.ts";
import type { Prng } from "./prng.ts";
import type { SimNetwork } from "./sim_network.ts";
import type { SimProcess } from "./sim_process.ts";

/** Takes every line: `level` and text, with the fields in a stable form. */
export type LogSink = (process: string, level: string, message: string, fields: string) => void;

export function simRuntime(
  process: SimProcess,
  prng: Prng,
  network: SimNetwork,
  sink: LogSink,
): Runtime {
  return {
    clock: process.clock,
    timers: process.timers,
    random: { fill: (bytes) => prng.fill(bytes), uint32: () => prng.uint32() },
    network: network.networkOf(process),
    log: simLog(process, sink),
  };
}

function simLog(process: SimProcess, sink: LogSink): Log {
  const write = (level: string) => (message: string, fields?: LogFields) => {
    if (process.alive) sink(process.name, level, message, fieldsText(fields));
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

function fieldsText(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  return JSON.stringify(fields, (_key, value) => {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    return typeof value === "bigint" ? value.toString() : value;
  });
}

/** `store`, which outlives the process, as the process reaches it. */
export function storeOf(process: SimProcess, store: ObjectStore): ObjectStore {
  return {
    advice: store.advice,
    putIfAbsent: (key, body, options) => process.call(() => store.putIfAbsent(key, body, options)),
    put: (key, body, options) => process.call(() => store.put(key, body, options)),
    get: (key, range, options) => process.call(() => store.get(key, range, options)),
    delete: (keys, options) => process.call(() => store.delete(keys, options)),
    list: (prefix, startAfter, options) =>
      stepwise<ObjectInfo>(process, store.list(prefix, startAfter, options)),
    close: () => Promise.resolve(),
  };
}

/** `metadata` as the process reaches it. `onCommit` sees what it writes, before that is there. */
export function metadataOf(
  process: SimProcess,
  metadata: MetadataStore,
  onCommit: (tx: Transaction) => void = () => {},
): MetadataStore {
  const leases = new Map<Lease, Lease>();
  const own = (op: Op): Op =>
    "put" in op && op.lease !== undefined ? { ...op, lease: leases.get(op.lease)! } : op;
  const commit = (tx: Transaction) => {
    const then = tx.then.map(own);
    onCommit({ if: tx.if, then });
    return metadata.commit({ if: tx.if, then });
  };
  /** A sleeping process hears of its loss when it wakes up. */
  const lease = async (ttlMs: number): Promise<Lease> => {
    const inner = await metadata.lease(ttlMs);
    const lost = new Promise<void>((resolve) => {
      void inner.lost.then(() => process.deliver(resolve));
    });
    const revoke = () => process.call(() => inner.revoke());
    const outer: Lease = { id: inner.id, ttlMs, lost, revoke };
    leases.set(outer, inner);
    return outer;
  };
  return {
    get: (key) => process.call(() => metadata.get(key)),
    list: (prefix) => process.call(() => metadata.list(prefix)),
    commit: (tx) => process.call(() => commit(tx)),
    lease: (ttlMs) => process.call(() => lease(ttlMs)),
    watch: (prefix, from, signal) =>
      stepwise<WatchBatch>(process, metadata.watch(prefix, from, signal)),
    snapshot: () => stepwise(process, metadata.snapshot()),
    restore: (from) => process.call(() => metadata.restore(from)),
    close: () => Promise.resolve(),
  };
}

function stepwise<T>(process: SimProcess, from: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = from[Symbol.asyncIterator]();
      return {
        next: () => process.call(() => iterator.next()),
        return: () => {
          const ended: Promise<IteratorResult<T>> = iterator.return?.() ??
            Promise.resolve({ done: true, value: undefined });
          return process.alive ? ended : ended.then(() => ({ done: true, value: undefined }));
        },
      };
    },
  };
}
