/** Records as the agents send and return them, and comparing them whole. */
import { assertEquals } from "@std/assert";

/** Bytes are base64; null is Kafka's null. */
export interface WireRecord {
  /** Partition: null lets the client's partitioner decide. */
  p: number | null;
  /** Offset; null when it isn't known yet. */
  o: number | null;
  /** Timestamp in milliseconds; null takes the client's clock. */
  t: number | null;
  k: string | null;
  v: string | null;
  h: [string, string | null][];
}

const encoder = new TextEncoder();

/** Text or bytes as base64. */
export function base64(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  return bytes.toBase64();
}

/** Base64 as text. */
export function text(value: string | null): string | null {
  return value === null ? null : new TextDecoder().decode(Uint8Array.fromBase64(value));
}

/** A record; strings are its text, null is null. */
export function record(
  key: string | Uint8Array | null,
  value: string | Uint8Array | null,
  rest: Partial<Pick<WireRecord, "p" | "t" | "h">> = {},
): WireRecord {
  return {
    p: rest.p ?? null,
    o: null,
    t: rest.t ?? null,
    k: key === null ? null : base64(key),
    v: value === null ? null : base64(value),
    h: rest.h ?? [],
  };
}

/** Bytes that don't compress, the same for a seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761 >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 255;
  }
  return bytes;
}

/** Everything that the sender gave, as one comparable string. */
export function content(record: WireRecord): string {
  return JSON.stringify([record.k, record.v, record.h]);
}

/** The same records, whatever the order; a long value is shortened in a failure's message. */
export function assertSameRecords(actual: readonly WireRecord[], sent: readonly WireRecord[]) {
  const shorten = (one: string) => one.length < 400 ? one : `${one.slice(0, 200)}…${one.length}`;
  const sorted = (list: readonly WireRecord[]) => list.map(content).sort();
  const [left, right] = [sorted(actual), sorted(sent)];
  if (left.length === right.length && left.every((one, index) => one === right[index])) return;
  const missing = right.filter((one) => !left.includes(one)).map(shorten).slice(0, 5);
  const foreign = left.filter((one) => !right.includes(one)).map(shorten).slice(0, 5);
  assertEquals({ count: left.length, missing, foreign }, {
    count: right.length,
    missing: [],
    foreign: [],
  });
  throw new Error(`as many records, but some are doubled in place of others: ${left.length}`);
}

/** Offsets of each partition are `from`, `from + 1`, …, in the order received. */
export function assertDense(records: readonly WireRecord[], from = 0): void {
  const next = new Map<number, number>();
  for (const { p, o } of records) {
    const expected = next.get(p ?? 0) ?? from;
    assertEquals(o, expected, `offset in partition ${p}`);
    next.set(p ?? 0, expected + 1);
  }
}

/** Each key lies in one partition, in the order sent. */
export function assertKeysInOrder(records: readonly WireRecord[], sent: readonly WireRecord[]) {
  const partitionOf = new Map<string, number | null>();
  const byKey = (list: readonly WireRecord[]) => {
    const result: Record<string, string[]> = {};
    for (const one of list) if (one.k !== null) (result[one.k] ??= []).push(content(one));
    return result;
  };
  for (const { k, p } of records) {
    if (k === null) continue;
    assertEquals(partitionOf.get(k) ?? p, p, `partition of key ${text(k)}`);
    partitionOf.set(k, p);
  }
  const [got, wanted] = [byKey(records), byKey(sent)];
  for (const key of Object.keys(wanted)) {
    const same = JSON.stringify(got[key]) === JSON.stringify(wanted[key]);
    if (!same) throw new Error(`records of key ${text(key)} are not in the order sent`);
  }
}
