/** `fsck`: whether bucket and metadata are whole; with --repair, what is left over goes. */
import {
  brokersAtWork,
  type Depth,
  type Finding,
  fsck,
  fsckAndRepair,
  type FsckOptions,
  type FsckReport,
  isDoubtful,
  type Looked,
  type Repaired,
  severityOf,
  UnknownTopicError,
} from "../../core/fsck/mod.ts";
import { systemLog } from "../../core/runtime/system.ts";
import { interruption } from "./client.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { loadConfig } from "./load_config.ts";
import { bytes } from "./terminal/figures.ts";
import { Progress } from "./terminal/progress.ts";

/** Nothing is damaged, and something is left over or odd. */
const EXIT_LEFTOVERS = 3;

export const command: Command = {
  usage: "fsck [flags]",
  summary: "Check that a bucket and its metadata are whole.",
  details: [
    "Reads the commit log, every manifest, segment and index, and the metadata, and says what is " +
    "damaged, what nobody needs (orphans), and what looks odd (warnings). Changes nothing " +
    "without --repair, and may be used while brokers run.",
    "With --repair, all brokers of the cluster must be stopped. It deletes orphans and makes " +
    "indexes anew, says what it did, and checks again. It never deletes what may be the only " +
    "copy of a record; damage stays as it is. It may be interrupted and run again.",
    "Exit codes: 0 clean; 1 damaged, or it could not be checked; 2 the command line is wrong; " +
    "3 orphans or warnings only. docs/fsck.md explains every finding.",
  ],
  flags: [
    {
      name: "repair",
      kind: "switch",
      doc: "Delete orphans, make indexes anew. Stop brokers first.",
    },
    { name: "topic", kind: "list", value: "NAME", doc: "Only this topic; may be repeated." },
    { name: "quick", kind: "switch", doc: "Don't read the bodies of segments." },
    { name: "deep", kind: "switch", doc: "Check the CRC of every record batch, too." },
    { name: "json", kind: "switch", doc: "Print one JSON object." },
  ],
  takesSettings: true,
  examples: [
    "kafscale fsck",
    "kafscale fsck --topic orders --deep",
    "kafscale fsck --repair --json",
  ],
  async run(invocation) {
    const { args } = invocation;
    args.atMost(0);
    const depth = depthOf(invocation);
    const repair = args.on("repair");
    const { config } = await loadConfig(invocation);
    const interrupted = interruption();
    const names = args.list("topic");
    const progress = new Progress("fsck");
    const data = await invocation.wiring.openData(config, systemLog("warn", true), repair);
    try {
      const options: FsckOptions = {
        ...data,
        config,
        depth,
        topics: names.length === 0 ? undefined : new Set(names),
        moving: !repair,
        signal: interrupted.signal,
        onProgress: (share, looked) => progress.update(share, progressOf(looked)),
      };
      const repairs: Repaired[] = [];
      const report = repair
        ? await repaired(options, (done) => void repairs.push(done))
        : await fsck(options);
      progress.end();
      print(invocation, report, repairs);
      return exitCode(report);
    } catch (error) {
      progress.end();
      if (interrupted.signal.aborted) throw new CliError("interrupted", EXIT.interrupted);
      if (error instanceof UnknownTopicError) throw new CliError(error.message);
      throw error;
    } finally {
      interrupted.stop();
      await data.close();
    }
  },
};

function depthOf({ args }: Invocation): Depth {
  const quick = args.on("quick");
  if (quick && args.on("deep")) throw new UsageError("--quick and --deep don't go together");
  if (quick && args.on("repair")) {
    throw new UsageError("--repair reads segments: leave out --quick");
  }
  return quick ? "quick" : args.on("deep") ? "deep" : "normal";
}

async function repaired(
  options: FsckOptions,
  onRepaired: (repaired: Repaired) => void,
): Promise<FsckReport> {
  const working = await brokersAtWork(options);
  if (working !== undefined) {
    throw new CliError(`${working}; stop all brokers before a repair, nothing was changed`);
  }
  return await fsckAndRepair(options, onRepaired);
}

function exitCode({ verdict }: FsckReport): number {
  if (verdict === "clean") return EXIT.ok;
  return verdict === "damaged" ? EXIT.failed : EXIT_LEFTOVERS;
}

function print({ args }: Invocation, report: FsckReport, repairs: readonly Repaired[]): void {
  if (args.on("json")) {
    const { verdict, counts, looked, notKept } = report;
    const findings = report.findings.map(plain);
    const all = { verdict, counts, findings, findingsNotShown: notKept, repairs, looked };
    console.log(JSON.stringify(all, undefined, 2));
    return;
  }
  for (const { code, key, text } of repairs) console.log(`repaired  ${code}  ${key}: ${text}`);
  for (const each of report.findings) {
    console.log(`${severityOf(each).padEnd(8)}  ${each.code}  ${each.key}: ${each.text}`);
  }
  if (report.notKept > 0) console.log(`and ${report.notKept} more`);
  console.log(`looked at ${lookedAt(report.looked)}`);
  console.log(verdictLine(report));
  if (args.on("repair") && isDoubtful(report)) {
    console.log(
      "nothing was repaired: the metadata may be of another time or cluster than the bucket",
    );
  }
}

function plain(each: Finding): Record<string, unknown> {
  const { code, key, text, topic, repair } = each;
  const severity = severityOf(each);
  return { code, severity, key, text, topic: topic ?? null, repairable: repair !== undefined };
}

function progressOf({ partitions, segments, segmentBytes }: Looked): string {
  return `${partitions} partitions, ${segments} segments, ${bytes(segmentBytes)}`;
}

function lookedAt(looked: Looked): string {
  const { topics, partitions, segments, segmentBytes, slots, chains, groups } = looked;
  return `${topics} topics, ${partitions} partitions, ${segments} segments (` +
    `${(segmentBytes / 2 ** 20).toFixed(1)} MiB read), ${slots} slots of the commit log in ` +
    `${chains} chains, ${groups} groups`;
}

function verdictLine({ verdict, counts, findings }: FsckReport): string {
  if (verdict === "clean") return "clean: nothing is wrong";
  const { damage, orphan, warning } = counts;
  const said = `${count(damage, "damage")}, ${count(orphan, "orphan")}, ` +
    count(warning, "warning");
  if (verdict === "damaged") return `DAMAGED: ${said}`;
  const rest = findings.some((each) => each.repair !== undefined)
    ? "; --repair, with all brokers stopped, deletes what is left over"
    : "";
  return `not damaged: ${said}${rest}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 || what === "damage" ? "" : "s"}`;
}
