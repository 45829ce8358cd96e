import { FRAME_BUFFERS_KEPT_BYTES } from "../config/limits.ts";
import { Reader } from "../bytes/mod.ts";
import { invariant, Semaphore } from "../runtime/mod.ts";

/** A buffer for one large frame, with the cursor that belongs to it. */
export interface FrameBuffer {
  readonly bytes: Uint8Array;
  readonly reader: Reader;
  /** Bytes of the budget that this buffer holds. */
  readonly reserved: number;
}

/**
 * Buffers for frames that do not fit a connection's own small one. Bytes are reserved from one
 * budget before a buffer is handed out (I9): at the limit callers wait in order, holding nothing,
 * and their sockets are not read. Buffers come in quarter steps of powers of two, so that they can
 * serve the next frame of about the same size; few are kept.
 */
export class FrameBuffers {
  readonly budget: Semaphore;
  /** Free buffers by size, least recently used size first. */
  readonly #free = new Map<number, FrameBuffer[]>();
  #keptBytes = 0;

  constructor(inflightBytes: number, readonly keptBytesMax = FRAME_BUFFERS_KEPT_BYTES) {
    this.budget = new Semaphore(inflightBytes);
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** In use and kept. */
  get heldBytes(): number {
    return this.budget.used + this.#keptBytes;
  }

  /** A buffer of at least `bytes` bytes if the budget allows it now. */
  tryTake(bytes: number): FrameBuffer | undefined {
    const size = bufferSize(bytes);
    const reserved = Math.min(size, this.budget.capacity);
    return this.budget.tryAcquire(reserved) ? this.#take(size, reserved) : undefined;
  }

  /** As `tryTake`, after waiting for the budget. A frame above the whole budget takes all of it. */
  async take(bytes: number): Promise<FrameBuffer> {
    const size = bufferSize(bytes);
    const reserved = Math.min(size, this.budget.capacity);
    await this.budget.acquire(reserved);
    return this.#take(size, reserved);
  }

  give(buffer: FrameBuffer): void {
    this.budget.release(buffer.reserved);
    const size = buffer.bytes.length;
    if (size > this.keptBytesMax / 2) return;
    this.#touch(size).push(buffer);
    this.#keptBytes += size;
    this.#shrink();
  }

  #take(size: number, reserved: number): FrameBuffer {
    const kept = this.#free.has(size) ? this.#touch(size).pop() : undefined;
    if (kept !== undefined) {
      this.#keptBytes -= size;
      return kept;
    }
    const bytes = new Uint8Array(size);
    return { bytes, reader: new Reader(bytes), reserved };
  }

  #touch(size: number): FrameBuffer[] {
    const list = this.#free.get(size) ?? [];
    this.#free.delete(size);
    this.#free.set(size, list);
    return list;
  }

  #shrink(): void {
    for (const [size, list] of this.#free) {
      while (this.#keptBytes > this.keptBytesMax && list.length > 0) {
        list.pop();
        this.#keptBytes -= size;
      }
      if (this.#keptBytes <= this.keptBytesMax) return;
      this.#free.delete(size);
    }
    invariant(this.#keptBytes === 0, "kept frame buffers are miscounted");
  }
}

/** The smallest size in steps of a quarter of a power of two that is at least `bytes`. */
export function bufferSize(bytes: number): number {
  const step = 2 ** Math.max(13, 29 - Math.clz32(bytes - 1 | 1));
  return Math.ceil(bytes / step) * step;
}
