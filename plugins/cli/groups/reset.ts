/** `groups reset`: shows what it would do, and does it with --execute. */
import type { Admin } from "@platformatic/kafka";
import { askCoordinator } from "../client.ts";
import { CliError, type Invocation, UsageError } from "../command.ts";
import { printable, table } from "../terminal/table.ts";
import { NO_GROUP } from "./lag.ts";
import { type ResetMode, resetMode } from "./reset_mode.ts";
import {
  type FileOffset,
  parseOffsetsFile,
  parseScope,
  type PlannedOffset,
  planReset,
  type Scope,
} from "./reset_plan.ts";

/** States in which nobody would overwrite what is set. */
const QUIET_STATES: readonly string[] = ["Empty", NO_GROUP];

export async function resetGroups(
  admin: Admin,
  groups: readonly string[],
  invocation: Invocation,
): Promise<void> {
  const { args } = invocation;
  const mode = resetMode(args, Date.now());
  const scope = scopeOf(invocation, mode);
  const execute = args.on("execute");
  if (execute && args.on("export")) throw new UsageError("--execute or --export, not both");
  const file = mode.kind === "file" ? await readOffsets(mode.name) : [];
  const plan = await planReset(admin, { groups, mode, scope, file });
  const busy = await busyGroups(admin, groups);
  if (execute) {
    if (busy.length > 0) throw new CliError(stopFirst(busy));
    await apply(admin, plan);
  }
  if (args.on("export")) {
    for (const each of plan) console.log(csvLine(each, groups.length > 1));
  } else if (args.on("json")) {
    console.log(JSON.stringify({ executed: execute, offsets: plan }));
  } else {
    show(plan, execute);
  }
  if (!execute && busy.length > 0) console.error(`warning: ${stopFirst(busy)}`);
}

function scopeOf({ args }: Invocation, mode: ResetMode): Scope | undefined {
  const topics = args.list("topic");
  const given = Number(topics.length > 0) + Number(args.on("all-topics"));
  if (mode.kind === "file") {
    if (given > 0) throw new UsageError("--from-file names the topics itself");
    return undefined;
  }
  if (given !== 1) throw new UsageError("which topics? --topic NAME[:0,1], or --all-topics");
  return topics.length > 0 ? parseScope(topics) : undefined;
}

async function readOffsets(name: string): Promise<FileOffset[]> {
  const text = await Deno.readTextFile(name).catch((error) => {
    const why = error instanceof Deno.errors.NotFound ? "does not exist" : "cannot be read";
    throw new CliError(`the file ${name} ${why}`);
  });
  return parseOffsetsFile(text);
}

async function busyGroups(admin: Admin, groups: readonly string[]): Promise<string[]> {
  const listed = await admin.listGroups();
  return groups.filter((group) => !QUIET_STATES.includes(listed.get(group)?.state ?? NO_GROUP));
}

function stopFirst(busy: readonly string[]): string {
  return `stop the members of ${busy.map(printable).join(", ")} first: they would overwrite it`;
}

async function apply(admin: Admin, plan: readonly PlannedOffset[]): Promise<void> {
  for (const [groupId, ofGroup] of Map.groupBy(plan, ({ group }) => group)) {
    const topics = [...Map.groupBy(ofGroup, ({ topic }) => topic)].map(([name, offsets]) => ({
      name,
      partitionOffsets: offsets.map(({ partition, next }) => ({ partition, offset: BigInt(next) })),
    }));
    await askCoordinator(() => admin.alterConsumerGroupOffsets({ groupId, topics }));
  }
}

function show(plan: readonly PlannedOffset[], executed: boolean): void {
  if (plan.length === 0) {
    console.log("nothing to reset: no committed offsets");
    return;
  }
  const columns = [
    { title: "GROUP" },
    { title: "TOPIC" },
    { title: "PARTITION", right: true },
    { title: "COMMITTED", right: true },
    { title: "NEW", right: true },
    { title: "CHANGE", right: true },
    { title: "" },
  ] as const;
  const rows = plan.map(({ group, topic, partition, current, next, asked }) => [
    group,
    topic,
    `${partition}`,
    current === null ? "-" : `${current}`,
    `${next}`,
    current === null ? "-" : `${next > current ? "+" : ""}${next - current}`,
    asked === undefined ? "" : `the log has no offset ${asked}`,
  ]);
  for (const line of table(columns, rows)) console.log(line);
  console.log(executed ? "done" : "nothing was changed; --execute does it");
}

/** As Kafka's tool writes it. */
function csvLine({ group, topic, partition, next }: PlannedOffset, withGroup: boolean): string {
  const fields = [`"${topic}"`, partition, next];
  return (withGroup ? [`"${group}"`, ...fields] : fields).join(",");
}
