/** Where to put a group: the modes of Kafka's own tool, by its names. */
import type { ParsedArguments } from "../arguments.ts";
import { UsageError } from "../command.ts";

/** What a mode asks for; times in milliseconds since 1970. */
export type ResetMode =
  | { readonly kind: "earliest" | "latest" | "current" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "shift"; readonly by: number }
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "file"; readonly name: string };

export const MODE_FLAGS = [
  "to-earliest",
  "to-latest",
  "to-current",
  "to-offset",
  "shift-by",
  "to-datetime",
  "by-duration",
  "from-file",
] as const;

/** Exactly one of the flags; `nowMs` is what durations are counted back from. */
export function resetMode(args: ParsedArguments, nowMs: number): ResetMode {
  const given = MODE_FLAGS.filter((flag) =>
    args.on(flag) || typeof args.values.get(flag) === "string"
  );
  const [flag, second] = given;
  if (flag === undefined) throw new UsageError(`where to? one of --${MODE_FLAGS.join(", --")}`);
  if (second !== undefined) throw new UsageError(`--${flag} or --${second}, not both`);
  switch (flag) {
    case "to-earliest":
      return { kind: "earliest" };
    case "to-latest":
      return { kind: "latest" };
    case "to-current":
      return { kind: "current" };
    case "to-offset":
      return { kind: "offset", offset: args.whole(flag)! };
    case "shift-by":
      return { kind: "shift", by: args.whole(flag, Number.MIN_SAFE_INTEGER)! };
    case "to-datetime":
      return { kind: "time", ms: parseDateTime(args.text(flag)!) };
    case "by-duration":
      return { kind: "time", ms: nowMs - parseDuration(args.text(flag)!) };
    case "from-file":
      return { kind: "file", name: args.text(flag)! };
  }
}

/** ISO 8601, UTC unless a zone is given: 2025-03-01T08:30:00.000+01:00. */
export function parseDateTime(text: string): number {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?$/;
  const zone = form.exec(text)?.[3];
  const ms = form.test(text) ? Date.parse(zone === undefined ? `${text}Z` : text) : NaN;
  if (Number.isNaN(ms)) {
    throw new UsageError(`--to-datetime must look like 2025-03-01T08:30:00.000; got "${text}"`);
  }
  return ms;
}

/** ISO 8601, days to seconds: P1DT2H30M5S. */
export function parseDuration(text: string): number {
  const form = /^P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
  const parts = form.exec(text);
  if (parts === null) {
    throw new UsageError(`--by-duration must look like P1DT2H30M5S (or PT15M); got "${text}"`);
  }
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000;
}
