/**
 * Protocol Buffers (proto3 wire format) for stored metadata values, from schemas in code: strings,
 * bytes, bool, int32, int64 as a safe number, nested and repeated messages, map<string, string>.
 * Fields that a schema doesn't know are kept and written back, so an older broker that changes a
 * newer one's record loses nothing of it. (npm:protobufjs does all this too, but takes longer to
 * load than a broker to start; the tests hold this codec equal to it.)
 */
import { encodeUtf8, MalformedError, Reader, Writer } from "../bytes/mod.ts";

/** Field bytes that the schema doesn't know, as they came. */
export const UNKNOWN = Symbol("unknown protobuf fields");

type Scalar = "string" | "bytes" | "bool" | "int32" | "int64";

interface ScalarTypes {
  string: string;
  bytes: Uint8Array;
  bool: boolean;
  int32: number;
  int64: number;
}

type Kind = Scalar | "map" | MessageSchema;

/** One field: its number, type, and whether it repeats. */
export interface Field<T = unknown> {
  readonly id: number;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** Only carries the type. */
  readonly value?: T;
}

export type Fields = Readonly<Record<string, Field>>;

/** A message: field names are snake_case, as in the .proto. */
export interface MessageSchema<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
}

/** The object form of a message. */
export type MessageOf<S extends MessageSchema> =
  & { [K in keyof S["fields"]]: S["fields"][K] extends Field<infer T> ? T : never }
  & { [UNKNOWN]?: Uint8Array };

export function message<F extends Fields>(name: string, fields: F): MessageSchema<F> {
  return { name, fields };
}

export function scalar<K extends Scalar>(id: number, kind: K): Field<ScalarTypes[K]> {
  return { id, kind, repeated: false };
}

export function repeatedScalar<K extends "string" | "bytes" | "int32" | "int64">(
  id: number,
  kind: K,
): Field<ScalarTypes[K][]> {
  return { id, kind, repeated: true };
}

/** `map<string, string>`; keys are written in sorted order, so equal maps give equal bytes. */
export function stringMap(id: number): Field<ReadonlyMap<string, string>> {
  return { id, kind: "map", repeated: false };
}

export function repeated<S extends MessageSchema>(id: number, schema: S): Field<MessageOf<S>[]> {
  return { id, kind: schema, repeated: true };
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

export function encodeMessage<S extends MessageSchema>(
  schema: S,
  value: Partial<MessageOf<S>>,
): Uint8Array {
  const writer = new Writer(256);
  writeMessage(writer, schema, value as Record<string, unknown>);
  const unknown = (value as { [UNKNOWN]?: Uint8Array })[UNKNOWN];
  if (unknown !== undefined) writer.raw(unknown);
  return writer.toBytes();
}

function writeMessage(w: Writer, schema: MessageSchema, value: Record<string, unknown>): void {
  for (const [name, field] of Object.entries(schema.fields)) {
    const item = value[name];
    if (item === undefined) continue;
    if (field.kind === "map") writeMap(w, field.id, item as ReadonlyMap<string, string>);
    else if (!field.repeated) writeSingle(w, field.id, field.kind, item);
    else if (field.kind === "int32" || field.kind === "int64") {
      writePacked(w, field.id, item as number[]);
    } else for (const each of item as unknown[]) writeValue(w, field.id, field.kind, each);
  }
}

/** proto3: a field with its default value is left out. */
function writeSingle(w: Writer, id: number, kind: Kind, item: unknown): void {
  if (item === "" || item === 0 || item === false) return;
  if (item instanceof Uint8Array && item.length === 0) return;
  writeValue(w, id, kind, item);
}

function writeValue(w: Writer, id: number, kind: Kind, item: unknown): void {
  if (kind === "int32" || kind === "int64") {
    w.uvarint(id * 8 + VARINT);
    writeVarint(w, item as number);
  } else if (kind === "bool") {
    w.uvarint(id * 8 + VARINT);
    w.uvarint(item === true ? 1 : 0);
  } else {
    const bytes = kind === "string"
      ? encodeUtf8(item as string)
      : kind === "bytes"
      ? item as Uint8Array
      : encodeMessage(kind as MessageSchema, item as Record<string, unknown>);
    w.uvarint(id * 8 + LENGTH);
    w.uvarint(bytes.length);
    w.raw(bytes);
  }
}

function writePacked(w: Writer, id: number, items: readonly number[]): void {
  if (items.length === 0) return;
  const packed = new Writer(items.length * 2);
  for (const item of items) writeVarint(packed, item);
  writeValue(w, id, "bytes", packed.toBytes());
}

function writeMap(w: Writer, id: number, map: ReadonlyMap<string, string>): void {
  for (const key of [...map.keys()].sort()) {
    const pair = new Writer(64);
    writeValue(pair, 1, "string", key);
    writeValue(pair, 2, "string", map.get(key)!);
    writeValue(w, id, "bytes", pair.toBytes());
  }
}

/** Negative numbers take ten bytes, as in every protobuf implementation. */
function writeVarint(w: Writer, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError("not a safe integer");
  if (value >= 0) return w.uvarint(value);
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    w.int8(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  w.int8(Number(rest));
}

/** What decoding looks up in a schema: its fields by their numbers. */
interface FieldById {
  readonly name: string;
  readonly field: Field;
}

const fieldsById = new WeakMap<MessageSchema, ReadonlyMap<number, FieldById>>();

function byIdOf(schema: MessageSchema): ReadonlyMap<number, FieldById> {
  let byId = fieldsById.get(schema);
  if (byId === undefined) {
    const fields = Object.entries(schema.fields);
    byId = new Map(fields.map(([name, field]) => [field.id, { name, field }]));
    fieldsById.set(schema, byId);
  }
  return byId;
}

/** Throws MalformedError unless `bytes` is an encoding of `schema` (or of a newer form of it). */
export function decodeMessage<S extends MessageSchema>(schema: S, bytes: Uint8Array): MessageOf<S> {
  return readMessage(new Reader(bytes), schema) as MessageOf<S>;
}

/** A message that ends where `reader` does. */
function readMessage(reader: Reader, schema: MessageSchema): Loose {
  const value = emptyMessage(schema);
  const byId = byIdOf(schema);
  let unknown: Writer | undefined;
  while (reader.remaining > 0) {
    const start = reader.offset;
    const tag = reader.uvarint();
    const known = byId.get(Math.floor(tag / 8));
    if (known === undefined || !readField(reader, value, known.name, known.field, tag & 7)) {
      skip(reader, tag & 7);
      unknown ??= new Writer(64);
      unknown.raw(reader.bytes.subarray(start, reader.offset));
    }
  }
  if (unknown !== undefined) value[UNKNOWN] = unknown.toBytes();
  return value;
}

type Loose = Record<string, unknown> & { [UNKNOWN]?: Uint8Array };

function emptyMessage(schema: MessageSchema): Loose {
  const value: Loose = {};
  for (const [name, { kind, repeated }] of Object.entries(schema.fields)) {
    if (repeated) value[name] = [];
    else if (kind === "map") value[name] = new Map();
    else if (kind === "string") value[name] = "";
    else if (kind === "bytes") value[name] = new Uint8Array(0);
    else if (kind === "bool") value[name] = false;
    else value[name] = 0;
  }
  return value;
}

/** False when the wire type is not one of the field's. */
function readField(r: Reader, into: Loose, name: string, field: Field, wire: number): boolean {
  const { kind } = field;
  const numeric = kind === "int32" || kind === "int64" || kind === "bool";
  if (wire === VARINT && numeric) {
    const number = readVarint(r);
    const item = kind === "bool" ? number !== 0 : kind === "int32" ? number | 0 : number;
    if (field.repeated) (into[name] as unknown[]).push(item);
    else into[name] = item;
    return true;
  }
  if (wire !== LENGTH) return false;
  const length = r.uvarint();
  const from = r.take(length);
  const { end } = r;
  r.offset = from;
  r.end = from + length;
  readBody(r, into, name, field, numeric);
  r.offset = from + length;
  r.end = end;
  return true;
}

/** Reads what a field with a length has, which goes on to the reader's end. */
function readBody(r: Reader, into: Loose, name: string, field: Field, numeric: boolean): void {
  const { kind } = field;
  if (numeric) {
    if (!field.repeated) throw new MalformedError("a single number is packed");
    while (r.remaining > 0) (into[name] as number[]).push(readVarint(r));
  } else if (kind === "map") {
    const [key, value] = readPair(r);
    (into[name] as Map<string, string>).set(key, value);
  } else {
    const item = kind === "string"
      ? r.utf8(r.remaining)
      : kind === "bytes"
      ? r.copy(r.remaining)
      : readMessage(r, kind as MessageSchema);
    if (field.repeated) (into[name] as unknown[]).push(item);
    else into[name] = item;
  }
}

function readPair(r: Reader): [string, string] {
  const pair: [string, string] = ["", ""];
  while (r.remaining > 0) {
    const tag = r.uvarint();
    const at = Math.floor(tag / 8) - 1;
    if ((at === 0 || at === 1) && (tag & 7) === LENGTH) pair[at] = r.utf8(r.uvarint());
    else skip(r, tag & 7);
  }
  return pair;
}

function readVarint(r: Reader): number {
  let low = 0;
  for (let at = 0; at < 7; at++) {
    const byte = r.uint8();
    low += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return low;
  }
  let high = 0n;
  for (let at = 0n; at < 3n; at++) {
    const byte = r.uint8();
    high |= BigInt(byte & 0x7f) << (7n * at);
    if (byte >= 0x80) continue;
    const value = Number(BigInt.asIntN(64, (high << 49n) | BigInt(low)));
    if (!Number.isSafeInteger(value)) throw new MalformedError("a number is beyond 2^53");
    return value;
  }
  throw new MalformedError("varint is longer than 64 bits");
}

function skip(r: Reader, wire: number): void {
  if (wire === VARINT) { while (r.uint8() >= 0x80); }
  else if (wire === FIXED64) r.take(8);
  else if (wire === LENGTH) r.take(r.uvarint());
  else if (wire === FIXED32) r.take(4);
  else throw new MalformedError("unknown protobuf wire type");
}
