/** Turns a schema into the closure that writes one version of a message; see wire_form.ts. */
import { encodeUtf8, uuidBytes, Writer } from "../bytes/mod.ts";
import { invariant } from "../runtime/assert.ts";
import type { Field, Fields, Primitive } from "./schema.ts";
import { isPresent, type Mode, STRING_BYTES_MAX } from "./wire_form.ts";

export type Write = (writer: Writer, value: unknown) => void;
type Struct = Record<string, unknown>;

interface TaggedWrite {
  readonly name: string;
  readonly tag: number;
  readonly field: Field<unknown>;
  readonly write: Write;
}

/** Writes the fields that the version has; those left out take their defaults. */
export function structWriter(fields: Fields, mode: Mode): Write {
  const names: string[] = [];
  const writes: Write[] = [];
  const tagged: TaggedWrite[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (!isPresent(field, mode.version)) continue;
    const { tag } = field.traits;
    const write = fieldWriter(field, mode);
    if (tag === undefined) {
      names.push(name);
      writes.push(write);
    } else {
      tagged.push({ name, tag, field, write });
    }
  }
  tagged.sort((a, b) => a.tag - b.tag);
  const { flexible } = mode;
  return (writer, value) => {
    const object = value as Struct;
    for (let index = 0; index < names.length; index++) {
      writes[index]!(writer, object[names[index]!]);
    }
    if (!flexible) return;
    if (tagged.length === 0) writer.int8(0);
    else writeTags(writer, object, tagged);
  };
}

function writeTags(writer: Writer, object: Struct, tagged: readonly TaggedWrite[]): void {
  const present = tagged.filter(({ name, field }) => !isDefault(field, object[name]));
  writer.uvarint(present.length);
  for (const { name, tag, write } of present) {
    const inner = new Writer(64);
    write(inner, object[name]);
    const value = inner.toBytes();
    writer.uvarint(tag);
    writer.uvarint(value.length);
    writer.raw(value);
  }
}

/** True when a tagged field may be left off the wire. */
function isDefault(field: Field<unknown>, value: unknown): boolean {
  if (value === undefined) return true;
  const fallback = field.traits.fallback();
  if (value === null || fallback === null) return value === fallback;
  if (field.shape.kind === "array") {
    return (value as unknown[]).length === (fallback as unknown[]).length;
  }
  if (field.shape.kind === "struct") {
    const object = value as Struct;
    return Object.entries(field.shape.fields)
      .every(([name, inner]) => isDefault(inner, object[name]));
  }
  return value === fallback;
}

function fieldWriter(field: Field<unknown>, mode: Mode): Write {
  const write = presentWriter(field, mode);
  const { fallback } = field.traits;
  return (writer, value) => write(writer, value === undefined ? fallback() : value);
}

/** Writes a value that is not undefined. */
function presentWriter(field: Field<unknown>, mode: Mode): Write {
  const { shape } = field;
  const { flexible } = mode;
  const nullable = mode.version >= field.traits.nullableSince;
  if (shape.kind === "array") {
    return arrayWriter(fieldWriter(shape.element, mode), flexible, nullable);
  }
  if (shape.kind === "struct") {
    const write = structWriter(shape.fields, mode);
    if (!nullable) return (writer, value) => write(writer, value ?? {});
    return (writer, value) => {
      writer.int8(value === null ? -1 : 1);
      if (value !== null) write(writer, value);
    };
  }
  return primitiveWriter(shape.kind, flexible, nullable);
}

function arrayWriter(write: Write, flexible: boolean, nullable: boolean): Write {
  return (writer, value) => {
    const elements = value as readonly unknown[] | null;
    const count = elements === null ? (nullable ? -1 : 0) : elements.length;
    if (flexible) writer.uvarint(count + 1);
    else writer.int32(count);
    for (let index = 0; index < count; index++) write(writer, elements![index]);
  };
}

function primitiveWriter(kind: Primitive, flexible: boolean, nullable: boolean): Write {
  switch (kind) {
    case "boolean":
      return (writer, value) => writer.boolean(value as boolean);
    case "int8":
      return (writer, value) => writer.int8(value as number);
    case "int16":
      return (writer, value) => writer.int16(value as number);
    case "uint16":
      return (writer, value) => writer.uint16(value as number);
    case "int32":
      return (writer, value) => writer.int32(value as number);
    case "int64":
      return (writer, value) => writer.int64(value as number);
    case "float64":
      return (writer, value) => writer.float64(value as number);
    case "uuid":
      return (writer, value) => writer.raw(uuidBytes(value as string));
    case "string":
      return stringWriter(flexible, nullable);
    case "bytes":
      return blobWriter(flexible, nullable, (writer, value) => writer.raw(value));
    case "records":
      return blobWriter(flexible, nullable, (writer, value) => writer.external(value));
    case "recordParts":
      return partsWriter(flexible, nullable);
  }
}

function stringWriter(flexible: boolean, nullable: boolean): Write {
  return (writer, value) => {
    const text = value === null && !nullable ? "" : value as string | null;
    if (text === null) {
      if (flexible) writer.int8(0);
      else writer.int16(-1);
      return;
    }
    const encoded = encodeUtf8(text);
    invariant(encoded.length <= STRING_BYTES_MAX, "a string is too long for the protocol");
    if (flexible) writer.uvarint(encoded.length + 1);
    else writer.int16(encoded.length);
    writer.raw(encoded);
  };
}

function writeBlobLength(writer: Writer, length: number, flexible: boolean): void {
  if (flexible) writer.uvarint(length + 1);
  else writer.int32(length);
}

function blobWriter(
  flexible: boolean,
  nullable: boolean,
  write: (writer: Writer, value: Uint8Array) => void,
): Write {
  return (writer, value) => {
    const blob = value as Uint8Array | null;
    writeBlobLength(writer, blob === null ? (nullable ? -1 : 0) : blob.length, flexible);
    if (blob !== null) write(writer, blob);
  };
}

function partsWriter(flexible: boolean, nullable: boolean): Write {
  return (writer, value) => {
    const parts = value as readonly Uint8Array[] | null;
    let length = parts === null && nullable ? -1 : 0;
    for (const part of parts ?? []) length += part.length;
    writeBlobLength(writer, length, flexible);
    for (const part of parts ?? []) writer.external(part);
  };
}
