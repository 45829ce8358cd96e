/** `groups list | describe | reset | delete`. */
import { Admin } from "@platformatic/kafka";
import { pickAction } from "./actions.ts";
import { askCoordinator, BOOTSTRAP_FLAG, clientOptions, withClient } from "./client.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { type GroupLag, groupLags, NO_GROUP } from "./groups/lag.ts";
import { resetGroups } from "./groups/reset.ts";
import { count } from "./terminal/figures.ts";
import { printable, table } from "./terminal/table.ts";

type Action = (admin: Admin, names: readonly string[], invocation: Invocation) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  list: listGroups,
  describe: describeGroups,
  reset: resetGroups,
  delete: deleteGroups,
};

export const command: Command = {
  usage: "groups list | describe GROUP… | reset GROUP… | delete GROUP… [flags]",
  summary: "Show consumer groups and their lag, move their offsets, delete them.",
  details: [
    "`reset` shows what it would do; with --execute it does it. It takes one of the --to-…, " +
    "--shift-by, --by-duration and --from-file flags, and --topic or --all-topics. The group's " +
    "members must have left. Offsets that the log doesn't have become its first or its last.",
    "A file of offsets has lines of topic,partition,offset, with the group in front if they are " +
    "for several; --export prints such lines for what a reset would set.",
  ],
  actions: Object.keys(ACTIONS),
  flags: [
    BOOTSTRAP_FLAG,
    { name: "all", kind: "switch", doc: "describe, reset, delete: every group." },
    { name: "to-earliest", kind: "switch", doc: "reset: to the oldest record." },
    { name: "to-latest", kind: "switch", doc: "reset: behind the newest record." },
    {
      name: "to-current",
      kind: "switch",
      doc: "reset: to what is committed; behind the newest record where nothing is.",
    },
    { name: "to-offset", kind: "text", value: "N", doc: "reset: to this offset." },
    {
      name: "shift-by",
      kind: "text",
      value: "N",
      doc: "reset: N records on, or back (--shift-by=-5).",
    },
    {
      name: "to-datetime",
      kind: "text",
      value: "TIME",
      doc: "reset: to the first record from then on: 2025-03-01T08:30:00.000, UTC unless a zone " +
        "like +01:00 follows.",
    },
    {
      name: "by-duration",
      kind: "text",
      value: "DURATION",
      doc: "reset: to the first record of the last P1DT2H30M (a day, two and a half hours).",
    },
    { name: "from-file", kind: "text", value: "FILE", doc: "reset: to the offsets in a CSV file." },
    {
      name: "topic",
      short: "t",
      kind: "list",
      value: "NAME[:N,…]",
      doc: "reset: this topic, or these partitions of it; may be repeated.",
    },
    { name: "all-topics", kind: "switch", doc: "reset: whatever the group has committed." },
    { name: "execute", kind: "switch", doc: "reset: do it." },
    { name: "export", kind: "switch", doc: "reset: print the new offsets as CSV." },
    { name: "json", kind: "switch", doc: "Print JSON." },
  ],
  takesSettings: false,
  examples: [
    "kafscale groups list",
    "kafscale groups describe billing",
    "kafscale groups reset billing --to-datetime 2025-03-01T08:30:00 --topic orders",
    "kafscale groups reset billing --shift-by=-100 --all-topics --execute",
    "kafscale groups delete billing",
  ],
  async run(invocation) {
    const { action, act, names } = pickAction(ACTIONS, invocation.args.positionals, ["list"]);
    const all = invocation.args.on("all");
    if (action !== "list" && names.length > 0 === all) {
      throw new UsageError(`${action} which groups? names, or --all`);
    }
    const admin = new Admin(clientOptions(invocation));
    await withClient(admin, invocation, async () => {
      const every = async () => [...(await admin.listGroups()).keys()].sort();
      await act(admin, all ? await every() : names, invocation);
    });
    return EXIT.ok;
  },
};

async function listGroups(
  admin: Admin,
  _names: readonly string[],
  { args }: Invocation,
): Promise<void> {
  const groups = [...(await admin.listGroups()).values()].toSorted((a, b) => a.id < b.id ? -1 : 1);
  if (args.on("json")) {
    const plain = groups.map(({ id, state, groupType, protocolType }) => ({
      group: id,
      state,
      type: groupType ?? null,
      protocolType,
    }));
    console.log(JSON.stringify(plain));
    return;
  }
  const columns = [{ title: "GROUP" }, { title: "STATE" }, { title: "TYPE" }];
  const rows = groups.map(({ id, state, groupType }) => [id, state, groupType ?? ""]);
  for (const line of table(columns, rows)) console.log(line);
}

async function describeGroups(
  admin: Admin,
  names: readonly string[],
  { args }: Invocation,
): Promise<void> {
  const groups = await groupLags(admin, names);
  const missing = groups.find(({ state, partitions }) =>
    state === NO_GROUP && partitions.length === 0
  );
  if (missing !== undefined && !args.on("all")) {
    throw new CliError(`there is no group ${missing.group}; see groups list`);
  }
  if (args.on("json")) {
    console.log(JSON.stringify(groups));
    return;
  }
  for (const [at, group] of groups.entries()) {
    if (at > 0) console.log("");
    for (const line of described(group)) console.log(line);
  }
}

function described({ group, state, assignor, members, lag, partitions }: GroupLag): string[] {
  const held = new Set(partitions.map(({ member }) => member?.id));
  const idle = members.filter(({ id }) => !held.has(id));
  const title = [
    printable(group),
    assignor === "" ? state : `${state} (${printable(assignor)})`,
    `${members.length} ${members.length === 1 ? "member" : "members"}`,
    `lag ${count(lag)}`,
  ];
  const columns = [
    { title: "TOPIC" },
    { title: "PARTITION", right: true },
    { title: "COMMITTED", right: true },
    { title: "END", right: true },
    { title: "LAG", right: true },
    { title: "CLIENT" },
    { title: "HOST" },
    { title: "MEMBER" },
  ] as const;
  const rows = partitions.map((each) => [
    each.topic,
    `${each.partition}`,
    each.committed === null ? "-" : `${each.committed}`,
    `${each.logEndOffset}`,
    each.lag === null ? "-" : `${each.lag}`,
    each.member?.clientId ?? "",
    each.member?.host ?? "",
    each.member?.id ?? "",
  ]);
  return [
    title.join("  "),
    ...(rows.length === 0 ? ["nothing is committed or assigned"] : table(columns, rows)),
    ...idle.map(({ id, clientId, host }) =>
      `without a partition: ${printable(`${clientId} ${host} ${id}`)}`
    ),
  ];
}

async function deleteGroups(admin: Admin, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await askCoordinator(() => admin.deleteGroups({ groups: [...names] }));
  for (const name of names) console.log(`deleted ${printable(name)}`);
}
