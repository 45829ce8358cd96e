import { ErrorCode, type ErrorCodeValue } from "../../protocol/errors.ts";
import { type Deferred, deferred } from "../../runtime/deferred.ts";
import {
  type BatchRow,
  encodeSlotHeader,
  type PartitionRows,
  type SlotKind,
  WAL_HEADER_BYTES,
} from "./format.ts";
import { SlabBuffer, type Slabs } from "./slab_pool.ts";

/** A WAL object that holds committed batches; deletable once no row of it is needed any more. */
export interface WalObject {
  readonly key: string;
  /** Bytes of the whole object. */
  size: number;
  /** Broker epoch of the chain that it belongs to, and its place there. */
  readonly chainEpoch: number;
  readonly slot: number;
  readonly createdMs: number;
  /** Rows that no manifest covers yet. */
  live: number;
}

/** Where the rows of one partition go when their slot is committed. */
export interface RowSink {
  readonly topicId: string;
  readonly partition: number;
  /** The rows are durable, in order; called once per slot, before any waiter is answered. */
  committed(rows: readonly BatchRow[], object: WalObject): void;
}

/**
 * The open commit: batches of all partitions, copied once into slabs, until the chain sends it. The
 * same slabs then serve fetches.
 */
export class Commit extends SlabBuffer {
  readonly rows = new Map<RowSink, BatchRow[]>();
  /** Resolves to 0 when the slot is committed, else to the code that every waiter gets (I5). */
  readonly done: Deferred<ErrorCodeValue> = deferred();
  rowCount = 0;
  /** Set when the slot is committed. */
  object: WalObject | undefined;
  /** Monotonic time of the first append, for the age of the oldest waiter. */
  openedMs = 0;

  constructor(
    readonly slot: number,
    readonly kind: SlotKind,
    readonly nonce: Uint8Array,
    pool: Slabs,
  ) {
    super(pool, WAL_HEADER_BYTES);
  }

  get empty(): boolean {
    return this.rowCount === 0;
  }

  /** Books a batch of `sink`; its position comes from `copyIn`. */
  book(sink: RowSink, row: BatchRow): void {
    const rows = this.rows.get(sink);
    if (rows === undefined) this.rows.set(sink, [row]);
    else rows.push(row);
    this.rowCount++;
  }

  partitionRows(): PartitionRows[] {
    return Array.from(
      this.rows,
      ([{ topicId, partition }, rows]) => ({ topicId, partition, rows }),
    );
  }

  /** The header, written into its room in the first slab. */
  sealHeader(): Uint8Array {
    const header = encodeSlotHeader(this.kind, this.nonce);
    if (this.slabs.length === 0) this.slabs.push(this.pool.acquire());
    this.slabs[0]!.set(header, 0);
    return header;
  }

  fail(code: ErrorCodeValue): void {
    this.done.resolve(code === 0 ? ErrorCode.UNKNOWN_SERVER_ERROR : code);
  }
}

/** A commit that was sent. */
export interface Upload {
  readonly commit: Commit;
  state: "uploading" | "stored" | "fenced";
  size: number;
  createdMs: number;
  /** How long it took, once it is stored. */
  uploadMs: number;
}
