/**
 * The tails of many partitions, read out of the WAL together: each object is read once for all of
 * them. Partition by partition, a round over 1,000 of them would read every object 1,000 times,
 * once the WAL is larger than the block cache.
 */
import { Gather } from "../bytes/mod.ts";
import { inParallel } from "../runtime/in_parallel.ts";
import type { WalObject } from "../storage/wal/commit.ts";
import type { BatchRow } from "../storage/wal/format.ts";
import { SlabBuffer } from "../storage/wal/slab_pool.ts";
import type { LogContext } from "./log_context.ts";
import type { PartitionLogState } from "./partition_log.ts";

/** Rows further apart than this are read with two calls: what lies between would be thrown away. */
const GAP_BYTES = 1 << 20;
/** Objects read at a time: small ones take as long as the store does. */
const READS_PARALLEL = 4;

export class WalGather {
  readonly #buffer: SlabBuffer;
  readonly #positions = new Map<BatchRow, number>();
  #bytes: Gather | undefined;

  constructor(readonly context: LogContext) {
    this.#buffer = new SlabBuffer(context.pool);
  }

  /** The batch, if it was gathered; valid until `release`. */
  find(row: BatchRow): readonly Uint8Array[] | undefined {
    const start = this.#positions.get(row);
    if (start === undefined) return undefined;
    this.#bytes ??= new Gather(this.#buffer.parts());
    return this.#bytes.slice(start, start + row.length);
  }

  /** Reads what `logs` have in the WAL now. Objects that are gone are left out. */
  async read(logs: readonly PartitionLogState[]): Promise<void> {
    const { cache, signal } = this.context;
    const byObject = new Map<WalObject, BatchRow[]>();
    for (const log of logs) {
      for (const { row, object } of log.tail.entries) {
        const rows = byObject.get(object);
        if (rows === undefined) byObject.set(object, [row]);
        else rows.push(row);
      }
    }
    await inParallel(READS_PARALLEL, byObject, async ([{ key, size }, rows]) => {
      rows.sort((a, b) => a.position - b.position);
      for (const run of runs(rows)) {
        const start = run[0]!.position;
        const last = run.at(-1)!;
        const lease = await cache.read(key, size, start, last.position + last.length, signal);
        if (lease !== undefined) this.#copy(run, new Gather(lease.parts, start));
        lease?.release();
      }
    });
  }

  #copy(rows: readonly BatchRow[], from: Gather): void {
    for (const row of rows) {
      this.#positions.set(row, this.#buffer.bytes);
      for (const part of from.slice(row.position, row.position + row.length)) {
        this.#buffer.copyIn(part, 0, part.length);
      }
    }
  }

  release(): void {
    this.#positions.clear();
    this.#bytes = undefined;
    this.#buffer.release();
  }
}

/** Rows that lie near each other, at most GAP_BYTES from the first to the last. */
function* runs(rows: readonly BatchRow[]): Generator<readonly BatchRow[]> {
  let from = 0;
  for (let at = 1; at <= rows.length; at++) {
    if (at < rows.length && rows[at]!.position - rows[from]!.position < GAP_BYTES) continue;
    yield rows.slice(from, at);
    from = at;
  }
}
