/** What a reset would do, partition by partition; nothing here changes anything. */
import type { Admin } from "@platformatic/kafka";
import { CliError, UsageError } from "../command.ts";
import {
  committedOffsets,
  EARLIEST,
  LATEST,
  listOffsets,
  type Offsets,
  partitionsOf,
} from "./offsets.ts";
import type { ResetMode } from "./reset_mode.ts";

export interface PlannedOffset {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** Null before the first commit. */
  readonly current: number | null;
  readonly next: number;
  /** The offset that was asked for, where the log has no such offset. */
  readonly asked?: number;
}

/** Partitions by topic; every one of a topic, or the numbers that were named. */
export type Scope = ReadonlyMap<string, readonly number[] | "all">;

/** `TOPIC` or `TOPIC:0,1`. */
export function parseScope(given: readonly string[]): Scope {
  const scope = new Map<string, readonly number[] | "all">();
  for (const text of given) {
    const [, topic, numbers] = /^([^:]+)(?::(\d+(?:,\d+)*))?$/.exec(text) ?? [];
    if (topic === undefined) {
      throw new UsageError(`--topic must look like NAME or NAME:0,1; ${text}`);
    }
    scope.set(topic, numbers === undefined ? "all" : numbers.split(",").map(Number));
  }
  return scope;
}

/** A line of a file of offsets. */
export interface FileOffset {
  /** Undefined: of every group that is reset. */
  readonly group: string | undefined;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Kafka's CSV: `topic,partition,offset`, or with the group in front; quotes may stand around. */
export function parseOffsetsFile(text: string): FileOffset[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.map((line, at) => {
    const fields = line.split(",").map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
    const [offset, partition, topic, group] = fields.reverse();
    const numbers = [partition, offset].map((field) => /^\d+$/.test(field ?? "") ? +field! : NaN);
    if (!topic || fields.length > 4 || numbers.some((each) => !Number.isSafeInteger(each))) {
      throw new CliError(`line ${at + 1} is not topic,partition,offset: "${line}"`);
    }
    return { group, topic, partition: numbers[0]!, offset: numbers[1]! };
  });
}

export interface PlanOptions {
  readonly groups: readonly string[];
  readonly mode: ResetMode;
  /** Undefined: every topic that a group has committed offsets of. */
  readonly scope: Scope | undefined;
  /** Of the mode "file". */
  readonly file: readonly FileOffset[];
}

/** In the order of the groups, topics and partitions. */
export async function planReset(admin: Admin, options: PlanOptions): Promise<PlannedOffset[]> {
  const { groups, mode } = options;
  const committed = await committedOffsets(admin, groups);
  const plan: PlannedOffset[] = [];
  for (const group of groups) {
    const offsets = committed.get(group) ?? new Map();
    const wanted = wantedOf(options, group, offsets);
    const partitions = await resolve(admin, wanted);
    const log = {
      starts: await listOffsets(admin, partitions, EARLIEST),
      ends: await listOffsets(admin, partitions, LATEST),
      atTime: mode.kind === "time" ? await listOffsets(admin, partitions, mode.ms) : new Map(),
    };
    for (const [topic, indexes] of [...partitions].toSorted(([a], [b]) => a < b ? -1 : 1)) {
      for (const partition of indexes) {
        const current = offsets.get(topic)?.get(partition) ?? null;
        const of = (offsets: Offsets) => offsets.get(topic)?.get(partition);
        const named = options.file.findLast((each) =>
          each.topic === topic && each.partition === partition && (each.group ?? group) === group
        );
        const ends = { start: of(log.starts) ?? 0, end: of(log.ends) ?? 0, atTime: of(log.atTime) };
        const asked = askedOffset(mode, { ...ends, current, named: named?.offset });
        if (asked === undefined) {
          throw new CliError(
            `${group} has no committed offset of ${topic} partition ${partition} to shift; ` +
              "leave that partition out, or use another mode",
          );
        }
        const next = Math.min(Math.max(asked, ends.start), ends.end);
        plan.push({
          group,
          topic,
          partition,
          current,
          next,
          ...(next === asked ? {} : { asked }),
        });
      }
    }
  }
  return plan;
}

interface KnownOffsets {
  readonly start: number;
  readonly end: number;
  /** -1 where no record is that young. */
  readonly atTime: number | undefined;
  readonly current: number | null;
  readonly named: number | undefined;
}

/** What a mode asks for, which may lie outside of the log; undefined when there is nothing. */
export function askedOffset(mode: ResetMode, known: KnownOffsets): number | undefined {
  switch (mode.kind) {
    case "earliest":
      return known.start;
    case "latest":
      return known.end;
    case "current":
      return known.current ?? known.end;
    case "offset":
      return mode.offset;
    case "shift":
      return known.current === null ? undefined : known.current + mode.by;
    case "time":
      return known.atTime === undefined || known.atTime < 0 ? known.end : known.atTime;
    case "file":
      return known.named;
  }
}

function wantedOf(options: PlanOptions, group: string, committed: Offsets): Scope {
  if (options.mode.kind !== "file") {
    return options.scope ?? new Map([...committed].map(([topic, at]) => [topic, [...at.keys()]]));
  }
  const wanted = new Map<string, number[]>();
  for (const each of options.file) {
    if ((each.group ?? group) !== group) continue;
    const numbers = wanted.get(each.topic) ?? [];
    if (!numbers.includes(each.partition)) numbers.push(each.partition);
    wanted.set(each.topic, numbers);
  }
  return wanted;
}

/** Names of partitions that exist, in order. */
async function resolve(admin: Admin, scope: Scope): Promise<Map<string, number[]>> {
  const existing = await partitionsOf(admin, [...scope.keys()]);
  return new Map([...scope].map(([topic, wanted]) => {
    const all = existing.get(topic)!;
    const missing = wanted === "all" ? undefined : wanted.find((each) => !all.includes(each));
    if (missing !== undefined) {
      throw new CliError(`${topic} has no partition ${missing}, only 0 to ${all.length - 1}`);
    }
    return [topic, wanted === "all" ? all : wanted.toSorted((a, b) => a - b)];
  }));
}
