/** A client's connection in this process: no kernel and no client's work beside the broker's. */
import { Reader } from "../../core/bytes/mod.ts";
import { invariant } from "../../core/runtime/assert.ts";
import type { Connection, Listener, Network } from "../../core/runtime/mod.ts";

const SIZE_BYTES = 4;

/** Sends whole frames, and sees where answers end; what is in them it keeps only for `call`. */
export class Line implements Connection {
  readonly remoteAddress = "memory:0";
  readonly #frames: Uint8Array[] = [];
  /** Of the first frame, what is read already. */
  #taken = 0;
  #wake: (() => void) | undefined;
  #closed = false;
  /** Bytes of the answer that is being written, still to come. */
  #rest = 0;
  #kept: Uint8Array[] | undefined;
  /** Called after each whole answer. */
  onAnswer: () => void = () => {};
  answeredBytes = 0;

  send(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#wake?.();
  }

  /** One request with nothing else on its way; its answer from the correlation id on. */
  async call(frame: Uint8Array): Promise<Reader> {
    const kept: Uint8Array[] = this.#kept = [];
    await new Promise<void>((resolve) => {
      this.onAnswer = resolve;
      this.send(frame);
    });
    this.#kept = undefined;
    const bytes = new Uint8Array(await new Blob(kept as BlobPart[]).arrayBuffer());
    return new Reader(bytes.subarray(SIZE_BYTES));
  }

  async read(into: Uint8Array): Promise<number | undefined> {
    while (this.#frames.length === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    const frame = this.#frames[0]!;
    const count = Math.min(into.length, frame.length - this.#taken);
    into.set(frame.subarray(this.#taken, this.#taken + count));
    this.#taken += count;
    if (this.#taken === frame.length) {
      this.#frames.shift();
      this.#taken = 0;
    }
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.answeredBytes += bytes.length;
    this.#kept?.push(bytes.slice());
    for (let at = 0; at < bytes.length;) {
      if (this.#rest === 0) {
        invariant(at + SIZE_BYTES <= bytes.length, "an answer's size is written in one piece");
        const size = new DataView(bytes.buffer, bytes.byteOffset + at, SIZE_BYTES).getInt32(0);
        this.#rest = SIZE_BYTES + size;
      }
      const count = Math.min(this.#rest, bytes.length - at);
      this.#rest -= count;
      at += count;
      if (this.#rest === 0) this.onAnswer();
    }
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}

export class LineNetwork implements Network {
  readonly #waiting: Line[] = [];
  #accept: ((line: Line | undefined) => void) | undefined;

  connect(): Line {
    const line = new Line();
    if (this.#accept === undefined) this.#waiting.push(line);
    else this.#accept(line);
    this.#accept = undefined;
    return line;
  }

  listen({ host, port }: { host: string; port: number }): Promise<Listener> {
    return Promise.resolve({
      host,
      port,
      accept: () => {
        const line = this.#waiting.shift();
        if (line !== undefined) return Promise.resolve(line);
        return new Promise((resolve) => this.#accept = resolve);
      },
      close: () => this.#accept?.(undefined),
    });
  }
}
