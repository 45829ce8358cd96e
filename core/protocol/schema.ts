/**
 * The language in which messages/NN_name.ts describe an API: one object of fields in wire order,
 * all versions in one. Types are inferred from it; compiler.ts turns it into readers and writers.
 *
 *   request: {
 *     groupId: string,
 *     memberId: string.since(3).or("?"),   // from v3 on; before, and if left out, "?"
 *     topics: array({ name: string, partitions: array(int32) }).orNull(),
 *     cursor: struct({ … }).tag(0).since(8),      // a tagged field (KIP-482)
 *   }
 *
 * Field names and defaults are those of Kafka's protocol, since clients' documentation uses them.
 */
import type { Api } from "./api.ts";
import { compile } from "./compiler.ts";
import { ZERO_UUID } from "../bytes/mod.ts";

export type Primitive =
  | "boolean"
  | "int8"
  | "int16"
  | "uint16"
  | "int32"
  | "int64"
  | "float64"
  | "string"
  | "uuid"
  | "bytes"
  /** Record batches in a request: a view of the frame. */
  | "records"
  /** Record batches in a response: a gather list. */
  | "recordParts";

export type Shape =
  | { readonly kind: Primitive }
  | { readonly kind: "array"; readonly element: Field<unknown> }
  | { readonly kind: "struct"; readonly fields: Fields };

export interface Traits {
  readonly since: number;
  readonly until: number;
  /** First version in which null is allowed; Infinity when never. */
  readonly nullableSince: number;
  readonly tag: number | undefined;
  /** Makes the default anew, so that no two messages share an array. */
  readonly fallback: () => unknown;
}

/** A field's type and versions; every method returns a changed copy. */
export class Field<T> {
  /** Carries the type; there is no such property at run time. */
  declare readonly value: T;

  constructor(readonly shape: Shape, readonly traits: Traits) {}

  #with(change: Partial<Traits>): Field<T> {
    return new Field(this.shape, { ...this.traits, ...change });
  }

  /** In `version` and newer ones. */
  since(version: number): Field<T> {
    return this.#with({ since: version });
  }

  /** In `version` and older ones. */
  until(version: number): Field<T> {
    return this.#with({ until: version });
  }

  /** The default, where it isn't 0, false, empty or (for record batches) null. */
  or(fallback: T): Field<T> {
    return this.#with({ fallback: () => fallback });
  }

  /** May be null from `version` on; the default stays. */
  nullable(version = 0): Field<T | null> {
    return this.#with({ nullableSince: version });
  }

  /** May be null, and is by default. */
  orNull(): Field<T | null> {
    return this.#with({ nullableSince: 0, fallback: () => null });
  }

  /** A tagged field: written only when it differs from its default. */
  tag(tag: number): Field<T> {
    return this.#with({ tag });
  }
}

export type Fields = { readonly [name: string]: Field<unknown> };

/** The object that a set of fields describes. */
export type ObjectOf<F extends Fields> = { -readonly [Name in keyof F]: F[Name]["value"] };

function field<T>(shape: Shape, fallback: () => T, nullableSince = Infinity): Field<T> {
  return new Field(shape, { since: 0, until: Infinity, nullableSince, tag: undefined, fallback });
}

const number = (kind: Primitive): Field<number> => field({ kind }, () => 0);

export const boolean: Field<boolean> = field({ kind: "boolean" }, () => false);
export const int8: Field<number> = number("int8");
export const int16: Field<number> = number("int16");
export const uint16: Field<number> = number("uint16");
export const int32: Field<number> = number("int32");
/** Exact to ±2^53, which offsets, timestamps and producer ids never leave. */
export const int64: Field<number> = number("int64");
export const float64: Field<number> = number("float64");
export const string: Field<string> = field({ kind: "string" }, () => "");
/** 22 characters of base64url. */
export const uuid: Field<string> = field({ kind: "uuid" }, () => ZERO_UUID);
/** Copied out of the frame. */
export const bytes: Field<Uint8Array> = field({ kind: "bytes" }, () => new Uint8Array(0));
/** Record batches in a request: a view of the frame, valid as long as the frame is. */
export const records: Field<Uint8Array | null> = field({ kind: "records" }, () => null, 0);
/** Record batches in a response: spliced into the output without a copy. */
export const recordParts: Field<readonly Uint8Array[] | null> = field(
  { kind: "recordParts" },
  () => null,
  0,
);

/** Many values of one type, or many objects. */
export function array<T>(element: Field<T>): Field<T[]>;
export function array<F extends Fields>(fields: F): Field<ObjectOf<F>[]>;
export function array(of: Field<unknown> | Fields): Field<unknown[]> {
  const element = of instanceof Field ? of : struct(of);
  return field({ kind: "array", element }, () => []);
}

/** One object inside another; its default has the defaults of its fields. */
export function struct<F extends Fields>(fields: F): Field<ObjectOf<F>> {
  return field({ kind: "struct", fields }, () => defaultsOf(fields));
}

/** An object with every field at its default. */
export function defaultsOf<F extends Fields>(fields: F): ObjectOf<F> {
  const object: Record<string, unknown> = {};
  for (const [name, { traits }] of Object.entries(fields)) object[name] = traits.fallback();
  return object as ObjectOf<F>;
}

/** One API as its messages/NN_name.ts states it. */
export interface ApiSchema<Request extends Fields, Response extends Fields> {
  readonly key: number;
  readonly name: string;
  /** Oldest and newest version, inclusive. */
  readonly versions: readonly [oldest: number, newest: number];
  /** Left out when no version has compact lengths and tagged fields. */
  readonly flexibleFrom?: number;
  /** Left out when it is the oldest version. */
  readonly advertisedFrom?: number;
  readonly request: Request;
  readonly response: Response;
}

const schemas = new WeakMap<object, ApiSchema<Fields, Fields>>();

/** Defines an API; nothing is compiled before a version is first used. */
export function api<Request extends Fields, Response extends Fields>(
  schema: ApiSchema<Request, Response>,
): Api<ObjectOf<Request>, ObjectOf<Response>> {
  const [minVersion, maxVersion] = schema.versions;
  const flexibleFrom = schema.flexibleFrom ?? Infinity;
  const defined: Api<ObjectOf<Request>, ObjectOf<Response>> = {
    key: schema.key,
    name: schema.name,
    minVersion,
    maxVersion,
    advertisedMinVersion: schema.advertisedFrom ?? minVersion,
    flexibleFrom,
    request: compile(schema.request, schema.versions, flexibleFrom),
    response: compile(schema.response, schema.versions, flexibleFrom),
  };
  schemas.set(defined, schema);
  return defined;
}

/** The schema that `api` was defined by; for property tests and documentation. */
export function schemaOf(api: object): ApiSchema<Fields, Fields> | undefined {
  return schemas.get(api);
}
