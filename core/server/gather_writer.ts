import type { Clock, Connection } from "../runtime/mod.ts";
import type { FrameBuffer, FrameBuffers } from "./frame_buffers.ts";

/** Parts up to this size are copied together; larger ones are written from where they are. */
const COPY_BYTES_MAX = 32 * 1024;

const SCRATCH_BYTES = 64 * 1024;

/** Writes gather lists to one connection; small parts together, large parts without a copy. */
export class GatherWriter {
  /** Monotonic time of the last progress, or of the start of the write that is under way. */
  progressMs: number;
  #writing = false;

  constructor(
    readonly connection: Connection,
    readonly clock: Clock,
    /** Where scratch space comes from; when it has none, every part is written by itself. */
    readonly scratch: FrameBuffers,
  ) {
    this.progressMs = clock.monotonicMs();
  }

  get writing(): boolean {
    return this.#writing;
  }

  /**
   * Resolves when all bytes were taken; rejects when the connection is gone. One at a time: at
   * `readyMs` there was something to write, and it starts then or when the one before has ended.
   */
  async write(parts: readonly Uint8Array[], readyMs: number): Promise<void> {
    this.#writing = true;
    this.progressMs = Math.max(this.progressMs, readyMs);
    let scratch: FrameBuffer | undefined;
    try {
      if (parts.length === 1) return await this.#writeAll(parts[0]!);
      scratch = this.scratch.tryTake(SCRATCH_BYTES);
      let filled = 0;
      for (const part of parts) {
        const copied = scratch !== undefined && part.length <= COPY_BYTES_MAX;
        if (filled > 0 && (!copied || filled + part.length > SCRATCH_BYTES)) {
          await this.#writeAll(scratch!.bytes.subarray(0, filled));
          filled = 0;
        }
        if (copied) {
          scratch!.bytes.set(part, filled);
          filled += part.length;
        } else {
          await this.#writeAll(part);
        }
      }
      if (filled > 0) await this.#writeAll(scratch!.bytes.subarray(0, filled));
    } finally {
      this.#writing = false;
      if (scratch !== undefined) this.scratch.give(scratch);
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      at += await this.connection.write(at === 0 ? bytes : bytes.subarray(at));
      this.progressMs = this.clock.monotonicMs();
    }
  }
}
