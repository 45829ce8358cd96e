/** The kinds of value that a setting can have: how each is read, bounded, described and shown. */
import { z } from "zod";
import { parseListenAddress } from "./address.ts";

/** One kind of value; `T` is what the broker works with. */
export interface Kind<T> {
  readonly type:
    | "integer"
    | "number"
    | "size"
    | "boolean"
    | "choice"
    | "text"
    | "address"
    | "list"
    | "amounts"
    | "json";
  /** Reads text (environment, flags) and JSON values (file) alike. */
  readonly schema: z.ZodType<T>;
  /** Completes "KAFSCALE_X must be …". */
  readonly expects: string;
  /** Text that reads back as the same value, as people would write it. */
  show(value: T): string;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
};

/** Bytes out of `67108864`, `64MiB`, `64mb` (powers of 1,024); other input is left as it is. */
export function readSize(input: unknown): unknown {
  if (typeof input !== "string") return input;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(input.trim());
  const unit = SIZE_UNITS[match?.[2]?.toLowerCase() ?? "?"];
  if (match === null || unit === undefined) return input;
  return Number(match[1]) * unit;
}

/** `67108864` as `64MiB`, where it comes out even. */
export function showSize(bytes: number): string {
  for (const [unit, size] of [["GiB", 1024 ** 3], ["MiB", 1024 ** 2], ["KiB", 1024]] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

function readInteger(input: unknown): unknown {
  return typeof input === "string" && /^-?\d+$/.test(input.trim()) ? Number(input) : input;
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  on: true,
  false: false,
  "0": false,
  no: false,
  off: false,
};

function readBoolean(input: unknown): unknown {
  const word = typeof input === "number" ? String(input) : input;
  return typeof word === "string" ? BOOLEANS[word.trim().toLowerCase()] ?? input : input;
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export function integer({ min, max }: Bounds): Kind<number> {
  return {
    type: "integer",
    schema: z.preprocess(readInteger, z.number().int().min(min).max(max)),
    expects: `a whole number from ${min} to ${max}`,
    show: String,
  };
}

/** A share of a whole, 0 to 1. */
export function share(): Kind<number> {
  const read = (input: unknown) =>
    typeof input === "string" && /^\d*\.?\d+$/.test(input.trim()) ? Number(input) : input;
  return {
    type: "number",
    schema: z.preprocess(read, z.number().min(0).max(1)),
    expects: "a share from 0 to 1, such as 0.2",
    show: String,
  };
}

export function size({ min, max }: Bounds): Kind<number> {
  return {
    type: "size",
    schema: z.preprocess(readSize, z.number().int().min(min).max(max)),
    expects: `a size from ${showSize(min)} to ${showSize(max)}, in bytes or like 64MiB`,
    show: showSize,
  };
}

export function boolean(): Kind<boolean> {
  return {
    type: "boolean",
    schema: z.preprocess(readBoolean, z.boolean()),
    expects: "true or false",
    show: String,
  };
}

/** True, false, or a number of something. */
export function booleanOr(count: Kind<number>): Kind<boolean | number> {
  return {
    type: "boolean",
    schema: z.preprocess(readBoolean, z.union([z.boolean(), count.schema])),
    expects: `true, false, or ${count.expects}`,
    show: String,
  };
}

export function choice<const V extends string>(...values: readonly [V, ...V[]]): Kind<V> {
  const lower = (input: unknown) => typeof input === "string" ? input.toLowerCase() : input;
  return {
    type: "choice",
    schema: z.preprocess(lower, z.enum(values)),
    expects: `one of ${values.join(", ")}`,
    show: String,
  };
}

export function text(expects: string, pattern: RegExp): Kind<string> {
  return { type: "text", schema: z.string().regex(pattern), expects, show: String };
}

/** Space around it is cut off: keys in mounted files tend to end with a line feed. */
export function trimmed(kind: Kind<string>): Kind<string> {
  const trim = (input: unknown) => typeof input === "string" ? input.trim() : input;
  return { ...kind, schema: z.preprocess(trim, kind.schema) };
}

export function address(): Kind<string> {
  return {
    type: "address",
    schema: z.string().refine((value) => parseListenAddress(value) !== undefined),
    expects: "HOST:PORT, :PORT for every interface, or [IPv6]:PORT",
    show: String,
  };
}

/** `null` for the word `off`. */
export function orOff<T>(kind: Kind<T>): Kind<T | null> {
  const read = (input: unknown) => {
    const word = typeof input === "string" ? input.trim().toLowerCase() : input;
    return word === "off" ? null : input;
  };
  return {
    type: kind.type,
    schema: z.preprocess(read, kind.schema.nullable()),
    expects: `${kind.expects}, or off`,
    show: (value) => value === null ? "off" : kind.show(value),
  };
}

/** Words with commas between them, `none` for no word; in the file an array, too. */
export function list(expects: string, item: RegExp): Kind<readonly string[]> {
  const read = (input: unknown) => {
    if (typeof input !== "string") return input;
    const words = input.split(",").map((word) => word.trim()).filter((word) => word !== "");
    return words.length === 1 && words[0]!.toLowerCase() === "none" ? [] : words;
  };
  return {
    type: "list",
    schema: z.preprocess(read, z.array(z.string().regex(item))),
    expects: `${expects}, with commas between them, or none`,
    show: (value) => value.length === 0 ? "none" : value.join(","),
  };
}

/** Numbers by name, `put=0.005,get=0.0004`; a name that is left out counts 0. */
export function amounts<const N extends string>(
  ...names: readonly [N, ...N[]]
): Kind<Readonly<Record<N, number>>> {
  const amount = z.preprocess(
    (input) => typeof input === "string" && /^\d*\.?\d+$/.test(input.trim()) ? +input : input,
    z.number().min(0),
  );
  const read = (input: unknown) => {
    if (typeof input !== "string") return input;
    const pairs = input.split(",").filter((pair) => pair.trim() !== "");
    return Object.fromEntries(pairs.map((pair) => {
      const [name, ...value] = pair.split("=");
      return [name!.trim(), value.join("=")];
    }));
  };
  const shape = Object.fromEntries(names.map((name) => [name, amount.default(0)]));
  return {
    type: "amounts",
    // from an array of names no type with these names follows
    schema: z.preprocess(read, z.strictObject(shape)) as unknown as z.ZodType<Record<N, number>>,
    expects: `NAME=NUMBER pairs with commas between them, the names out of ${names.join(", ")}`,
    show: (value) => names.map((name) => `${name}=${value[name]}`).join(","),
  };
}

/** An object of objects, as JSON; in the file as it is. */
export function objects(): Kind<Readonly<Record<string, unknown>>> {
  const read = (input: unknown) => {
    if (typeof input !== "string") return input;
    try {
      return JSON.parse(input);
    } catch {
      return input;
    }
  };
  return {
    type: "json",
    schema: z.preprocess(read, z.record(z.string(), z.record(z.string(), z.unknown()))),
    expects: 'a JSON object of objects, like {"my_plugin": {"colour": "red"}}',
    show: (value) => JSON.stringify(value),
  };
}

/** `null` where the setting is not given: its doc says what is done then. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return {
    ...kind,
    schema: kind.schema.nullable(),
    show: (value) => value === null ? "(unset)" : kind.show(value),
  };
}
