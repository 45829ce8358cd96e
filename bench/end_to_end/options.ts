/** The command line of `deno task bench:e2e`. */
import { parseArgs } from "@std/cli/parse-args";
import { PEER_NOTES, type PeerName } from "../peers.ts";

export const HELP = `Usage: deno task bench:e2e [options]
  The same load against this broker and Apache Kafka 4.1, in turn; prints both and their ratios.

  --rounds 2          how often each side is measured; the table shows medians
  --records 1000000   1 KiB records of the tuned produce (a third of it with the client's defaults)
  --messages 10000    round trips of each end-to-end latency
  --only LIST         of produce, consume, latency
  --with-fsync        a third side: Apache Kafka that fsyncs before it answers, as this broker does
  --sides LIST        of kafscale, kafka, kafka-fsync; "kafka,kafka" shows the noise of the machine
  --ours-only         the same as --sides kafscale
  --memory-max 200    fails when ours had more MiB resident at its peak; not in a smoke run
  --dir DIR           where the data directories are made (else the system's temporary directory)
  --json FILE         writes all figures with commit, runtime and machine
  --smoke             few records, one round, each read back and checked; the figures mean nothing`;

export type Part = "produce" | "consume" | "latency";
const PARTS: readonly Part[] = ["produce", "consume", "latency"];

export interface Options {
  readonly rounds: number;
  readonly records: number;
  readonly messages: number;
  readonly warmUpRecords: number;
  readonly only: readonly Part[];
  readonly sides: readonly PeerName[];
  readonly dir: string | undefined;
  readonly json: string | undefined;
  readonly smoke: boolean;
  readonly memoryMaxMib: number;
}

export class UsageError extends Error {
  override name = "UsageError";
}

/** Undefined when help was asked for; throws UsageError. */
export function parseOptions(argv: readonly string[]): Options | undefined {
  const args = parseArgs(argv, {
    boolean: ["with-fsync", "ours-only", "smoke", "help"],
    string: ["rounds", "records", "messages", "memory-max", "only", "sides", "dir", "json"],
    unknown: (name) => {
      throw new UsageError(`unknown option ${name}`);
    },
  });
  if (args["help"] === true) return undefined;
  const smoke = args["smoke"] === true;
  const count = (name: string, normal: number, small: number): number => {
    if (args[name] === undefined) return smoke ? small : normal;
    const value = Number(args[name]);
    if (Number.isSafeInteger(value) && value > 0) return value;
    throw new UsageError(`--${name} wants a positive number, not ${args[name]}`);
  };
  const list = <T extends string>(name: string, known: readonly T[], absent: readonly T[]) => {
    if (args[name] === undefined) return absent;
    return String(args[name]).split(",").map((word) => {
      const match = known.find((each) => each === word);
      if (match === undefined) throw new UsageError(`--${name} knows ${known}, not ${word}`);
      return match;
    });
  };
  const text = (name: string) => args[name] === undefined ? undefined : String(args[name]);
  const both: PeerName[] = ["kafscale", "kafka"];
  if (args["with-fsync"] === true) both.push("kafka-fsync");
  const peers = Object.keys(PEER_NOTES) as PeerName[];
  return {
    rounds: count("rounds", 2, 1),
    records: count("records", 1_000_000, 3_000),
    messages: count("messages", 10_000, 50),
    warmUpRecords: smoke ? 0 : 100_000,
    only: list("only", PARTS, PARTS),
    sides: args["ours-only"] === true ? ["kafscale"] : list("sides", peers, both),
    dir: text("dir"),
    json: text("json"),
    smoke,
    memoryMaxMib: smoke ? Infinity : count("memory-max", 200, 200),
  };
}
