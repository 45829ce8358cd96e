/** `configs describe | set | unset`: Kafka's configs of topics, brokers and groups. */
import { Admin, type ConfigDescription } from "@platformatic/kafka";
import { pickAction } from "./actions.ts";
import { BOOTSTRAP_FLAG, clientOptions, withClient } from "./client.ts";
import { type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { suggest } from "../../core/config/mod.ts";
import { printable, table } from "./terminal/table.ts";

/** Kafka's numbers of what has configs. */
const RESOURCE_TYPES = { topic: 2, broker: 4, group: 32 } as const;
type EntityType = keyof typeof RESOURCE_TYPES;

/** Kafka's numbers of where a value comes from. */
const SOURCES: Readonly<Record<number, string>> = {
  1: "topic",
  2: "broker, changed",
  3: "all brokers, changed",
  4: "broker's settings",
  5: "default",
  8: "group",
};
const DEFAULT_SOURCE = 5;

/** IncrementalAlterConfigs' operations. */
const OPERATIONS = { set: 0, unset: 1 } as const;

interface Entity {
  readonly type: EntityType;
  readonly name: string;
}

type Action = (
  admin: Admin,
  entity: Entity,
  words: readonly string[],
  invocation: Invocation,
) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  describe,
  set: (admin, entity, words, invocation) => alter("set", admin, entity, words, invocation),
  unset: (admin, entity, words, invocation) => alter("unset", admin, entity, words, invocation),
};

export const command: Command = {
  usage: "configs describe | set | unset  topic|broker|group NAME [KEY[=VALUE]…] [flags]",
  summary: "Show and change the configs of topics, brokers and groups.",
  details: [
    "`describe` shows what was set, with --all the defaults as well. `set` changes the named " +
    "configs and leaves the others; `unset` returns them to their defaults.",
  ],
  actions: Object.keys(ACTIONS),
  flags: [
    BOOTSTRAP_FLAG,
    { name: "all", kind: "switch", doc: "describe: defaults, too." },
    { name: "dry-run", kind: "switch", doc: "set, unset: only ask whether it would be taken." },
    { name: "json", kind: "switch", doc: "describe: print JSON." },
  ],
  takesSettings: false,
  examples: [
    "kafscale configs describe topic orders --all",
    "kafscale configs set topic orders retention.ms=86400000 cleanup.policy=compact",
    "kafscale configs unset topic orders retention.ms",
    "kafscale configs describe broker 0 --json",
  ],
  async run(invocation) {
    const { act, names } = pickAction(ACTIONS, invocation.args.positionals, []);
    const [type, name, ...words] = names;
    if (type === undefined || name === undefined) {
      throw new UsageError(`whose? ${Object.keys(RESOURCE_TYPES).join(", ")} and a name`);
    }
    if (!Object.hasOwn(RESOURCE_TYPES, type)) {
      throw new UsageError(`unknown kind ${type}${suggest(type, Object.keys(RESOURCE_TYPES))}`);
    }
    const admin = new Admin(clientOptions(invocation));
    const entity = { type: type as EntityType, name };
    await withClient(admin, invocation, () => act(admin, entity, words, invocation));
    return EXIT.ok;
  },
};

async function describe(
  admin: Admin,
  { type, name }: Entity,
  words: readonly string[],
  { args }: Invocation,
): Promise<void> {
  const [described] = await admin.describeConfigs({
    resources: [{
      resourceType: RESOURCE_TYPES[type],
      resourceName: name,
      ...(words.length === 0 ? {} : { configurationKeys: [...words] }),
    }],
  });
  const all = described?.configs ?? [];
  const shown = args.on("all") || words.length > 0
    ? all
    : all.filter(({ configSource }) => configSource !== DEFAULT_SOURCE);
  const rows = shown.toSorted((a, b) => a.name < b.name ? -1 : 1).map(plain);
  if (args.on("json")) {
    console.log(JSON.stringify(rows));
    return;
  }
  if (rows.length === 0) {
    console.log(`${type} ${printable(name)}: everything at its default; --all shows it`);
    return;
  }
  const columns = [{ title: "NAME" }, { title: "VALUE" }, { title: "FROM" }, { title: "" }];
  const cells = rows.map((row) => [
    row.name,
    row.value ?? "-",
    row.source,
    row.readOnly ? "read-only" : "",
  ]);
  for (const line of table(columns, cells)) console.log(line);
}

function plain(
  { name, value, configSource, readOnly, isSensitive }: ConfigDescription["configs"][0],
) {
  return {
    name,
    value: isSensitive ? "(secret)" : value ?? null,
    source: SOURCES[configSource] ?? `source ${configSource}`,
    readOnly,
  };
}

async function alter(
  how: "set" | "unset",
  admin: Admin,
  { type, name }: Entity,
  words: readonly string[],
  { args }: Invocation,
): Promise<void> {
  if (words.length === 0) {
    throw new UsageError(how === "set" ? "set what? KEY=VALUE" : "unset what?");
  }
  const configs = words.map((word) => {
    const [, key, value] = /^([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (key === undefined || (value === undefined) !== (how === "unset")) {
      throw new UsageError(`${how} takes ${how === "set" ? "KEY=VALUE" : "KEY"}; got "${word}"`);
    }
    return value === undefined
      ? { name: key, configOperation: OPERATIONS.unset }
      : { name: key, configOperation: OPERATIONS.set, value };
  });
  const dryRun = args.on("dry-run");
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: RESOURCE_TYPES[type], resourceName: name, configs }],
    validateOnly: dryRun,
  });
  for (const each of configs) {
    const change = "value" in each ? `${each.name}=${each.value}` : `${each.name} at its default`;
    console.log(`${type} ${printable(name)}: ${dryRun ? "would be taken: " : ""}${change}`);
  }
}
