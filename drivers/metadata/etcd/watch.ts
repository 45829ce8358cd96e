/**
 * Watches on etcd: one stream each, opened again after the last revision that was told when it
 * breaks, when its channel is given up, or when it has been silent and its endpoint is dead.
 */
import type { Revision, WatchBatch, WatchEvent } from "../../../core/metadata/metadata_store.ts";
import { MetadataError } from "../../../core/metadata/metadata_store.ts";
import { type Runtime, sleep } from "../../../core/runtime/mod.ts";
import type { Channel, Duplex } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { EtcdFault, faultOf, metadataError } from "./errors.ts";
import type { Generation, Keyspace } from "./keyspace.ts";
import { entryOf, type WatchAnswer } from "./messages.ts";
import { ETCD_LIMITS } from "./settings.ts";

export interface WatchHost {
  readonly connection: Connection;
  readonly keys: Keyspace;
  readonly runtime: Runtime;
  /** The generation that counts now, asked of etcd, and the store's revision at that time. */
  generation(): Promise<{ generation: Generation; revision: Revision }>;
}

const DATA = "1";
const NAMING = "2";

/** Events below `prefix` after `from` until `stop` aborts; throws where etcd refuses the watch. */
export async function* watchKeys(
  host: WatchHost,
  prefix: string,
  from: Revision,
  stop: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const { timers, log } = host.runtime;
  let seen = from;
  let pauseMs: number = ETCD_LIMITS.pauseMinMs;
  /** That of the first stream; another one means that everything was replaced. */
  let generation: Generation | undefined;
  while (!stop.aborted) {
    try {
      const now = await host.generation();
      generation ??= now.generation;
      const replaced = now.generation.number !== generation.number;
      if (replaced || from < now.generation.revision) return yield { compacted: true };
      for await (const batch of once(host, generation, prefix, seen, now.revision, stop)) {
        if (stop.aborted) return;
        yield batch;
        if ("compacted" in batch) return;
        seen = batch.revision;
        pauseMs = ETCD_LIMITS.pauseMinMs;
      }
    } catch (error) {
      if (stop.aborted) return;
      const fault = error instanceof MetadataError ? error : metadataError(faultOf(error, "etcd"));
      if (fault.outcome === "fatal") throw fault;
      log.debug("a watch on etcd is opened again", { prefix, error: fault.message });
    }
    await sleep(timers, pauseMs, stop);
    pauseMs = Math.min(pauseMs * 2, ETCD_LIMITS.pauseMaxMs);
  }
}

/** What one stream tells; ends or throws when it breaks. */
async function* once(
  host: WatchHost,
  generation: Generation,
  prefix: string,
  seen: Revision,
  now: Revision,
  stop: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const { connection, keys } = host;
  const { duplex, channel } = await connection.stream("Watch", "watch");
  const end = AbortSignal.any([stop, channel.ended]);
  const cancel = () => duplex.cancel();
  end.addEventListener("abort", cancel);
  if (end.aborted) cancel();
  const silence = watchSilence(host, channel, duplex);
  try {
    duplex.write({
      create_request: {
        ...keys.below(generation, prefix),
        start_revision: String(seen + 1),
        watch_id: DATA,
      },
    });
    duplex.write({
      create_request: {
        key: keys.generationKey,
        start_revision: String(now + 1),
        watch_id: NAMING,
      },
    });
    for await (const message of duplex) {
      silence.broken();
      const answer = message as WatchAnswer;
      if (Number(answer.compact_revision) > 0) return yield { compacted: true };
      if (answer.canceled) {
        throw new EtcdFault(
          14,
          answer.cancel_reason || "the watch was cancelled",
          channel.endpoint,
        );
      }
      if (answer.watch_id === NAMING) {
        if (answer.events.length > 0) return yield { compacted: true };
        continue;
      }
      // what a restore replaced is deleted after it, and may be told before the naming watch tells
      if (answer.events.some((event) => event.type === "Delete")) {
        const { number } = (await host.generation()).generation;
        if (number !== generation.number) return yield { compacted: true };
      }
      yield* batches(host, generation, answer);
    }
  } finally {
    silence.end();
    end.removeEventListener("abort", cancel);
    cancel();
  }
}

/** One batch for each revision; etcd never splits one over two messages. */
function* batches(
  { keys }: WatchHost,
  generation: Generation,
  { events }: WatchAnswer,
): Generator<{ revision: Revision; events: WatchEvent[] }> {
  let batch: { revision: Revision; events: WatchEvent[] } | undefined;
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision);
    if (batch !== undefined && batch.revision !== revision) {
      yield batch;
      batch = undefined;
    }
    batch ??= { revision, events: [] };
    batch.events.push(
      type === "Put"
        ? { type: "put", entry: entryOf(keys, generation, kv) }
        : { type: "delete", key: keys.name(generation, kv.key), revision },
    );
  }
  if (batch !== undefined) yield batch;
}

/** Asks a silent stream's endpoint from time to time whether it lives; ends the stream if not. */
function watchSilence({ connection, runtime }: WatchHost, channel: Channel, duplex: Duplex) {
  let heard = false;
  let ended = false;
  const check = async () => {
    if (!heard && !await connection.lives(channel) && !ended) duplex.cancel();
    heard = false;
    if (!ended) timer = runtime.timers.after(ETCD_LIMITS.watchCheckMs, check);
  };
  let timer = runtime.timers.after(ETCD_LIMITS.watchCheckMs, check);
  return {
    broken: () => void (heard = true),
    end: () => {
      ended = true;
      timer.cancel();
    },
  };
}
