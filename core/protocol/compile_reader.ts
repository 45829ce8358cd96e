/** Turns a schema into the closure that reads one version of a message; see wire_form.ts. */
import { MalformedError, type Reader, uuidText } from "../bytes/mod.ts";
import { MESSAGE_ELEMENTS_MAX } from "../config/limits.ts";
import { invariant } from "../runtime/assert.ts";
import type { Field, Fields, Primitive } from "./schema.ts";
import { isPresent, type Mode, STRING_BYTES_MAX } from "./wire_form.ts";

export type Read = (reader: Reader) => unknown;
type Struct = Record<string, unknown>;

/** What is left of MESSAGE_ELEMENTS_MAX for the message being read; reads do not overlap. */
let elementsLeft = 0;

/** The reader of a whole message. */
export function messageReader(fields: Fields, mode: Mode): Read {
  const read = structReader(fields, mode);
  return (reader) => {
    elementsLeft = MESSAGE_ELEMENTS_MAX;
    return read(reader);
  };
}

/** Reads all fields of a struct, those that the version lacks as their defaults. */
function structReader(fields: Fields, mode: Mode): Read {
  const names: string[] = [];
  const reads: Read[] = [];
  const tagged = new Map<number, { name: string; read: Read }>();
  for (const [name, field] of Object.entries(fields)) {
    const { tag, fallback } = field.traits;
    const onWire = isPresent(field, mode.version);
    names.push(name);
    reads.push(onWire && tag === undefined ? fieldReader(field, mode) : fallback);
    if (onWire && tag !== undefined) tagged.set(tag, { name, read: fieldReader(field, mode) });
  }
  const { flexible } = mode;
  return (reader) => {
    const object: Struct = {};
    for (let index = 0; index < names.length; index++) {
      object[names[index]!] = reads[index]!(reader);
    }
    if (flexible) readTags(reader, object, tagged);
    return object;
  };
}

function readTags(
  reader: Reader,
  object: Struct,
  tagged: ReadonlyMap<number, { name: string; read: Read }>,
): void {
  for (let left = reader.uvarint(); left > 0; left--) {
    const tag = reader.uvarint();
    const size = reader.uvarint();
    const known = tagged.get(tag);
    if (known === undefined) {
      reader.take(size);
      continue;
    }
    const end = reader.offset + size;
    if (size > reader.remaining) {
      throw new MalformedError("tagged field is longer than its message");
    }
    object[known.name] = known.read(reader);
    if (reader.offset !== end) {
      throw new MalformedError("tagged field has another size than stated");
    }
  }
}

/** Skips the tagged fields at a struct's end, all of which are unknown to the caller. */
export function skipTags(reader: Reader): void {
  for (let left = reader.uvarint(); left > 0; left--) {
    reader.uvarint();
    reader.take(reader.uvarint());
  }
}

function fieldReader(field: Field<unknown>, mode: Mode): Read {
  const { shape } = field;
  const nullable = mode.version >= field.traits.nullableSince;
  if (shape.kind === "array") {
    return arrayReader(shape.element, mode, nullable);
  }
  if (shape.kind === "struct") {
    const read = structReader(shape.fields, mode);
    return nullable ? (reader) => (reader.int8() < 0 ? null : read(reader)) : read;
  }
  return primitiveReader(shape.kind, mode.flexible, nullable);
}

function arrayReader(element: Field<unknown>, mode: Mode, nullable: boolean): Read {
  const read = fieldReader(element, mode);
  const elementBytesMin = bytesMin(element, mode);
  const { kind } = element.shape;
  // numbers take hardly more memory than bytes on the wire
  const cost = kind in FIXED_BYTES && kind !== "uuid" ? 0 : 1;
  const { flexible } = mode;
  return (reader) => {
    const count = flexible ? reader.uvarint() - 1 : reader.int32();
    if (count < 0) return nullOr(nullable, count);
    if (count * elementBytesMin > reader.remaining) {
      throw new MalformedError("array has more elements than bytes");
    }
    elementsLeft -= count * cost;
    if (elementsLeft < 0) throw new MalformedError("message has too many elements");
    const elements: unknown[] = [];
    for (let index = 0; index < count; index++) elements.push(read(reader));
    return elements;
  };
}

/** Null for a length of -1 where that is allowed. */
function nullOr(nullable: boolean, length: number): null {
  if (nullable && length === -1) return null;
  throw new MalformedError(
    length === -1 ? "a field is null that cannot be null" : "a length is negative",
  );
}

/** The fewest bytes that a value takes, so that a count can be checked before anything is built. */
function bytesMin(field: Field<unknown>, mode: Mode): number {
  const { shape } = field;
  if (shape.kind === "struct") {
    if (mode.version >= field.traits.nullableSince) return 1;
    let sum = mode.flexible ? 1 : 0;
    for (const inner of Object.values(shape.fields)) {
      if (isPresent(inner, mode.version) && inner.traits.tag === undefined) {
        sum += bytesMin(inner, mode);
      }
    }
    invariant(sum > 0, "a struct takes no bytes at all");
    return sum;
  }
  if (shape.kind === "array") return mode.flexible ? 1 : 4;
  const fixed = FIXED_BYTES[shape.kind];
  if (fixed !== undefined) return fixed;
  if (mode.flexible) return 1;
  return shape.kind === "string" ? 2 : 4;
}

const FIXED_BYTES: { readonly [Kind in Primitive]?: number } = {
  boolean: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

function primitiveReader(kind: Primitive, flexible: boolean, nullable: boolean): Read {
  switch (kind) {
    case "boolean":
      return (reader) => reader.boolean();
    case "int8":
      return (reader) => reader.int8();
    case "int16":
      return (reader) => reader.int16();
    case "uint16":
      return (reader) => reader.uint16();
    case "int32":
      return (reader) => reader.int32();
    case "int64":
      return (reader) => reader.int64();
    case "float64":
      return (reader) => reader.float64();
    case "uuid":
      return (reader) => uuidText(reader.bytes, reader.take(16));
    case "string":
      return stringReader(flexible, nullable);
    case "bytes":
      return blobReader(flexible, nullable, (reader, length) => reader.copy(length));
    case "records":
      return blobReader(flexible, nullable, (reader, length) => reader.view8(length));
    case "recordParts":
      return blobReader(flexible, nullable, (reader, length) => [reader.view8(length)]);
  }
}

function stringReader(flexible: boolean, nullable: boolean): Read {
  return (reader) => {
    const length = flexible ? reader.uvarint() - 1 : reader.int16();
    if (length < 0) return nullOr(nullable, length);
    if (length > STRING_BYTES_MAX) throw new MalformedError("string is longer than 32767 bytes");
    return reader.utf8(length);
  };
}

function blobReader(
  flexible: boolean,
  nullable: boolean,
  read: (reader: Reader, length: number) => unknown,
): Read {
  return (reader) => {
    const length = flexible ? reader.uvarint() - 1 : reader.int32();
    return length < 0 ? nullOr(nullable, length) : read(reader, length);
  };
}
