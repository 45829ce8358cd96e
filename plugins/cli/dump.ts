/** `dump`: what is in the bucket, and in any one of its objects. */
import { MalformedError } from "../../core/bytes/mod.ts";
import { systemLog } from "../../core/runtime/system.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { loadConfig } from "./load_config.ts";
import { describeObject, type StoredObject } from "./stored_object.ts";
import { table } from "./terminal/table.ts";

export const command: Command = {
  usage: "dump KEY | FILE | --list [PREFIX] [flags]",
  summary: "Print any stored object: WAL slot, segment, index or manifest.",
  details: [
    "Reads the object with that key from the storage that the settings name, or a file if there " +
    "is one by that name. Checks the object on the way: a damaged one is an error. Record " +
    "batches are shown by their headers. Changes nothing, and may be used while a broker runs.",
  ],
  flags: [
    { name: "list", short: "l", kind: "switch", doc: "List keys and sizes instead." },
    { name: "json", kind: "switch", doc: "Print one JSON object." },
  ],
  takesSettings: true,
  examples: [
    "kafscale dump --list",
    "kafscale dump default/first/0/manifest-00000000000000000001",
    "kafscale dump segment-00000000000000000000.kfs --json",
  ],
  async run(invocation) {
    const { args } = invocation;
    args.atMost(1);
    const name = args.positionals[0];
    if (args.on("list")) {
      await withStore(invocation, async (store) => {
        for await (const { key, size } of store.list(name ?? "", undefined)) {
          console.log(args.on("json") ? JSON.stringify({ key, size }) : `${key}  ${size}`);
        }
      });
      return EXIT.ok;
    }
    if (name === undefined) throw new UsageError("dump what? --list shows the keys");
    const bytes = await readFile(name) ?? await readObject(invocation, name);
    const described = describe(name, bytes);
    console.log(args.on("json") ? JSON.stringify(described, undefined, 2) : asText(described));
    return EXIT.ok;
  },
};

async function readFile(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw new CliError(`cannot read the file ${path}: ${(error as Error).message}`);
  }
}

async function readObject(invocation: Invocation, key: string): Promise<Uint8Array> {
  const bytes = await withStore(invocation, (store) => store.get(key, undefined));
  if (bytes !== undefined) return bytes;
  throw new CliError(`there is no file and no object ${key}; dump --list shows the keys`);
}

async function withStore<R>(
  invocation: Invocation,
  use: (store: ObjectStore) => Promise<R>,
): Promise<R> {
  const { config } = await loadConfig(invocation);
  const store = await invocation.wiring.openStore(config, systemLog("warn", true), "read");
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function describe(name: string, bytes: Uint8Array): StoredObject {
  try {
    return describeObject(bytes);
  } catch (error) {
    if (error instanceof MalformedError) throw new CliError(`${name}: ${error.message}`);
    throw error;
  }
}

/** Values one a line, lists of rows as tables. */
function asText({ kind, fields }: StoredObject): string {
  const lines: string[] = [kind];
  for (const [name, value] of Object.entries(fields)) {
    if (!Array.isArray(value)) lines.push(`  ${name}: ${cell(name, value)}`);
    else if (value.length > 0) {
      lines.push(
        `  ${name}:`,
        ...rowsAsTable(value).map((row) => `    ${row}`),
      );
    }
  }
  return lines.join("\n");
}

function rowsAsTable(rows: readonly unknown[]): string[] {
  const first = rows[0];
  if (typeof first !== "object" || first === null) return rows.map(String);
  const names = Object.keys(first);
  return table(
    names.map((title) => ({ title })),
    rows.map((row) => names.map((name) => cell(name, field(row, name)))),
  );
}

function field(row: unknown, name: string): unknown {
  return (row as Record<string, unknown>)[name];
}

function cell(name: string, value: unknown): string {
  if (typeof value === "number" && name.endsWith("Ms") && value > 0) {
    return new Date(value).toISOString();
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
