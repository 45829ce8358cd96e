/** Random messages out of a schema, and their form in Kafka's JSON. */
import { uuidText } from "../../core/bytes/mod.ts";
import type { Field, Fields } from "../../core/protocol/schema.ts";
import type { Prng } from "../simulation/prng.ts";

const TEXTS = ["", "a", "orders", "größe", "日本語", "🦒 giraffe", "x".repeat(130)];

/** Array elements per level: few, so that nested arrays stay small. */
const ELEMENTS_MAX = 3;

/** A message with values in all fields that `version` has, and defaults in the others. */
export function randomMessage(
  fields: Fields,
  version: number,
  prng: Prng,
): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    message[name] = has(field, version) && !(field.traits.tag !== undefined && prng.chance(0.4))
      ? randomValue(field, version, prng)
      : field.traits.fallback();
  }
  return message;
}

function has({ traits }: Field<unknown>, version: number): boolean {
  return version >= traits.since && version <= traits.until;
}

function randomValue(field: Field<unknown>, version: number, prng: Prng): unknown {
  const { shape } = field;
  if (version >= field.traits.nullableSince && prng.chance(0.25)) return null;
  switch (shape.kind) {
    case "array":
      return Array.from(
        { length: prng.below(ELEMENTS_MAX + 1) },
        () => randomValue(shape.element, version, prng),
      );
    case "struct":
      return randomMessage(shape.fields, version, prng);
    case "boolean":
      return prng.chance(0.5);
    case "int8":
      return randomInt(8, prng);
    case "int16":
      return randomInt(16, prng);
    case "uint16":
      return prng.below(2 ** 16);
    case "int32":
      return randomInt(32, prng);
    case "int64":
      return randomInt(54, prng);
    case "float64":
      return prng.range(-1e9, 1e9);
    case "string":
      return prng.pick(TEXTS);
    case "uuid":
      return uuidText(randomBytes(16, prng));
    case "bytes":
    case "records":
      return randomBytes(prng.below(40), prng);
    case "recordParts":
      return [randomBytes(prng.below(40), prng)];
  }
}

/** Small numbers and the ends of the range often; 54 bits stay exact. */
function randomInt(bits: number, prng: Prng): number {
  const limit = 2 ** (bits - 1);
  if (prng.chance(0.3)) return prng.between(-2, 2);
  if (prng.chance(0.2)) return prng.pick([bits === 54 ? -limit + 1 : -limit, limit - 1]);
  return prng.between(-limit / 2, limit / 2 - 1);
}

export function randomBytes(length: number, prng: Prng): Uint8Array {
  const bytes = new Uint8Array(length);
  prng.fill(bytes);
  return bytes;
}

/** The JSON that Kafka's own converters read: only fields of the version, bytes in base64. */
export function kafkaJson(fields: Fields, value: unknown, version: number): unknown {
  const json: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    if (!has(field, version)) continue;
    json[name] = valueJson(field, (value as Record<string, unknown>)[name], version);
  }
  return json;
}

function valueJson(field: Field<unknown>, value: unknown, version: number): unknown {
  const { shape } = field;
  if (value === null) return null;
  if (value === 2 ** 63) return new LongMaximum();
  switch (shape.kind) {
    case "array":
      return (value as unknown[]).map((element) => valueJson(shape.element, element, version));
    case "struct":
      return kafkaJson(shape.fields, value, version);
    case "bytes":
    case "records":
      return base64(value as Uint8Array);
    case "recordParts":
      return base64((value as Uint8Array[])[0]!);
    default:
      return value;
  }
}

/** Java's Long.MAX_VALUE, which no JavaScript number is. */
class LongMaximum {
  toJSON(): unknown {
    // deno-lint-ignore no-explicit-any -- JSON.rawJSON is newer than the library's types
    return (JSON as any).rawJSON("9223372036854775807");
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
