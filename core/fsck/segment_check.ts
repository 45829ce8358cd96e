/** One segment and its index: their own form, and what the manifest says of them. */
import { crc32c, MalformedError } from "../bytes/mod.ts";
import {
  decodeIndex,
  decodeSegmentEnds,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHead,
  type SegmentIndex,
} from "../storage/segment/mod.ts";
import { BodyScan, lastOffsetOf, type WalkedBatch } from "./body_scan.ts";
import type { Context } from "./context.ts";
import { type Finding, finding, type FindingCode } from "./finding.ts";

/** A form that the object may have. */
export interface Expected {
  /** Inclusive. */
  readonly lastOffset: number;
  /** Undefined: not known. */
  readonly bytes: number | undefined;
}

export interface SegmentToCheck {
  readonly key: string;
  readonly indexKey: string;
  readonly baseOffset: number;
  /** Bytes of the object, as listed. */
  readonly size: number;
  /** One of them must fit; empty: whatever it says of itself. */
  readonly expected: readonly Expected[];
  /** The greatest timestamp by the manifest (negative: no record has one). */
  readonly maxTimestampMs: number | undefined;
  /** Whether the index is there; undefined: it is not looked at. */
  readonly hasIndex: boolean | undefined;
  /** For an index that is made anew. */
  readonly intervalBytes: number;
}

export interface SegmentFacts {
  readonly head: SegmentHead | undefined;
  /** Leader epochs of the first and last batch up to the manifest's last offset; -1: not read. */
  readonly firstEpoch: number;
  readonly lastEpoch: number;
  readonly findings: readonly Finding[];
}

/** Reads what `context.depth` asks for. */
export async function checkSegment(
  context: Context,
  segment: SegmentToCheck,
): Promise<SegmentFacts> {
  const check = new SegmentCheck(context, segment);
  const index = await check.readIndex();
  if (context.depth === "quick") await check.readEnds();
  else await check.readAll(index);
  check.compare(index);
  return check.facts();
}

class SegmentCheck {
  readonly #findings: Finding[] = [];
  #head: SegmentHead | undefined;
  #firstEpoch = -1;
  #lastEpoch = -1;
  #maxTimestampMs = -1;
  /** Exclusive end of the batches so far. */
  #end: number;
  /** What is wrong with the index, if anything. */
  #indexFault: { readonly code: FindingCode; readonly text: string } | undefined;
  /** Entries of the index that batches have met so far. */
  #met = 0;
  #bodyRead = false;

  constructor(readonly context: Context, readonly segment: SegmentToCheck) {
    this.#end = segment.baseOffset;
  }

  async readIndex(): Promise<SegmentIndex | undefined> {
    const { hasIndex, indexKey } = this.segment;
    if (hasIndex === undefined) return undefined;
    const bytes = hasIndex ? await this.context.bucket.get(indexKey) : undefined;
    if (bytes === undefined) {
      this.#indexFault = { code: "index-missing", text: "is not there" };
      return undefined;
    }
    try {
      return decodeIndex(bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#indexFault = { code: "index-damaged", text: `cannot be read: ${error.message}` };
      return undefined;
    }
  }

  async readEnds(): Promise<void> {
    const { key, size } = this.segment;
    const { bucket } = this.context;
    if (!this.#longEnough()) return;
    const header = await bucket.get(key, { start: 0, end: SEGMENT_HEADER_BYTES });
    const footer = await bucket.get(key, { start: size - SEGMENT_FOOTER_BYTES, end: size });
    if (header === undefined || footer === undefined) return this.#gone();
    this.#decode(header, footer);
  }

  async readAll(index: SegmentIndex | undefined): Promise<void> {
    const { key, size } = this.segment;
    const { bucket, depth, looked } = this.context;
    if (!this.#longEnough()) return;
    const scan = new BodyScan(
      SEGMENT_HEADER_BYTES,
      depth === "deep",
      (batch) => this.#visit(batch, index),
    );
    const pieces = new SegmentPieces(size, scan);
    try {
      if (!await bucket.read(key, 0, size, (piece) => pieces.take(piece))) return this.#gone();
      const bodyCrc = this.#decode(pieces.header, pieces.footer);
      looked.segmentBytes += size;
      if (bodyCrc === undefined) return;
      if (bodyCrc !== pieces.crc) return this.#damaged("its body fails its CRC-32C");
      scan.end();
      this.#bodyRead = true;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#damaged(error.message);
    }
  }

  /** Holds what was read against the manifest, and the index against what was read. */
  compare(index: SegmentIndex | undefined): void {
    const head = this.#head;
    if (head !== undefined) this.#compareHead(head);
    if (this.#bodyRead && head !== undefined) {
      if (this.#end !== head.lastOffset + 1) {
        this.#found("segment-offsets", `its last batch ends at ${this.#end - 1}`);
      }
      this.#compareTimestamp(head);
    }
    if (index !== undefined && head !== undefined) this.#compareIndex(index, head);
  }

  facts(): SegmentFacts {
    const { key, indexKey, size, intervalBytes } = this.segment;
    const fault = this.#indexFault;
    if (fault !== undefined) {
      // Made anew only out of a segment that is all right.
      const sound = this.#head !== undefined && this.#findings.length === 0;
      const repair = sound
        ? { kind: "rebuild-index", segmentKey: key, indexKey, size, intervalBytes } as const
        : undefined;
      this.#findings.push(finding(fault.code, indexKey, fault.text, repair));
    }
    return {
      head: this.#head,
      firstEpoch: this.#firstEpoch,
      lastEpoch: this.#lastEpoch,
      findings: this.#findings,
    };
  }

  #longEnough(): boolean {
    if (this.segment.size > SEGMENT_HEADER_BYTES + SEGMENT_FOOTER_BYTES) return true;
    this.#damaged(`has ${this.segment.size} bytes, too few for a segment`);
    return false;
  }

  /** The CRC-32C that the footer states. */
  #decode(header: Uint8Array, footer: Uint8Array): number | undefined {
    try {
      const { head, bodyCrc } = decodeSegmentEnds(header, footer);
      this.#head = head;
      return bodyCrc;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#damaged(error.message);
      return undefined;
    }
  }

  #visit({ header, position, intact }: WalkedBatch, index: SegmentIndex | undefined): void {
    if (header.baseOffset !== this.#end) {
      const { baseOffset } = header;
      this.#found("segment-offsets", `goes on at ${baseOffset} where ${this.#end} comes next`);
    }
    const last = lastOffsetOf(header);
    this.#end = last + 1;
    if (intact === false) {
      const text = `the batch of offsets ${header.baseOffset} to ${last}, at ${position}, fails ` +
        "its CRC-32C";
      this.#found("batch-damaged", text);
    }
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, header.maxTimestamp);
    this.#noteEpoch(header.baseOffset, header.partitionLeaderEpoch);
    this.#meet(index, header.baseOffset, position);
  }

  #noteEpoch(baseOffset: number, epoch: number): void {
    if (baseOffset > (this.segment.expected[0]?.lastOffset ?? Infinity)) return;
    if (this.#firstEpoch < 0) this.#firstEpoch = epoch;
    if (epoch < this.#lastEpoch) {
      this.#found("epoch-order", `has leader epoch ${epoch} behind ${this.#lastEpoch}`);
    }
    this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
  }

  /** Every entry of the index must be a batch of the segment. */
  #meet(index: SegmentIndex | undefined, baseOffset: number, position: number): void {
    if (index === undefined || index.positions[this.#met] !== position) return;
    if (index.baseOffsets[this.#met] === baseOffset) this.#met++;
  }

  #compareHead(head: SegmentHead): void {
    const { baseOffset, expected, size } = this.segment;
    if (head.baseOffset !== baseOffset) {
      return this.#found("segment-mismatch", `begins at offset ${head.baseOffset} by its header`);
    }
    const fits = expected.length === 0 ||
      expected.some(({ lastOffset, bytes }) =>
        lastOffset === head.lastOffset && (bytes ?? size) === size
      );
    if (fits) return;
    const { lastOffset, bytes } = expected[0]!;
    const text = `ends at offset ${head.lastOffset} and has ${size} bytes; by the manifest it ` +
      `ends at ${lastOffset} and has ${bytes}`;
    this.#found("segment-mismatch", text);
  }

  #compareTimestamp(head: SegmentHead): void {
    const { maxTimestampMs, expected } = this.segment;
    if (maxTimestampMs === undefined || expected[0]?.lastOffset !== head.lastOffset) return;
    if (Math.max(-1, maxTimestampMs) === this.#maxTimestampMs) return;
    const text = `its greatest timestamp is ${this.#maxTimestampMs}; by the manifest it is ` +
      `${maxTimestampMs}`;
    this.#found("segment-timestamp", text);
  }

  #compareIndex(index: SegmentIndex, head: SegmentHead): void {
    const count = index.positions.length;
    const bodyEnd = this.segment.size - SEGMENT_FOOTER_BYTES;
    const fits = index.baseOffsets[0] === head.baseOffset &&
      index.baseOffsets[count - 1]! <= head.lastOffset && index.positions[count - 1]! < bodyEnd;
    if (!fits || (this.#bodyRead && this.#met < count)) {
      const at = fits ? `, its entry for offset ${index.baseOffsets[this.#met]} is wrong` : "";
      this.#indexFault = { code: "index-mismatch", text: `does not fit its segment${at}` };
    }
  }

  #gone(): void {
    this.#found("segment-missing", "was listed, and is gone or shorter");
  }

  #damaged(text: string): void {
    this.#found("segment-damaged", text);
  }

  #found(code: FindingCode, text: string): void {
    this.#findings.push(finding(code, this.segment.key, text));
  }
}

/** Takes a segment's bytes in pieces apart. */
class SegmentPieces {
  readonly header = new Uint8Array(SEGMENT_HEADER_BYTES);
  readonly footer = new Uint8Array(SEGMENT_FOOTER_BYTES);
  /** CRC-32C of the body so far. */
  crc = 0;
  #at = 0;

  constructor(readonly size: number, readonly scan: BodyScan) {}

  take(piece: Uint8Array): void {
    const from = this.#at;
    this.#at += piece.length;
    const footerAt = this.size - SEGMENT_FOOTER_BYTES;
    copyOverlap(piece, from, this.header, 0);
    copyOverlap(piece, from, this.footer, footerAt);
    const start = Math.max(0, SEGMENT_HEADER_BYTES - from);
    const end = Math.min(piece.length, footerAt - from);
    if (start >= end) return;
    this.crc = crc32c(piece, start, end, this.crc);
    this.scan.take(piece.subarray(start, end));
  }
}

/** Copies what `piece`, which lies at `from`, has of the range that `into` stands for, at `at`. */
function copyOverlap(piece: Uint8Array, from: number, into: Uint8Array, at: number): void {
  const start = Math.max(from, at);
  const end = Math.min(from + piece.length, at + into.length);
  if (start < end) into.set(piece.subarray(start - from, end - from), start - at);
}
