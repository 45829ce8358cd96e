/** `snapshot create | list | verify | restore`: metadata to the bucket, and back. */
import { type Config, suggest } from "../../core/config/mod.ts";
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import { systemLog } from "../../core/runtime/system.ts";
import {
  countByKind,
  createSnapshot,
  dropOldSnapshots,
  listSnapshots,
  readSnapshot,
  restoreSnapshot,
  type SnapshotPlace,
} from "../snapshot/snapshots.ts";
import { CliError, type Command, EXIT, type Invocation, UsageError } from "./command.ts";
import { loadConfig } from "./load_config.ts";

export const command: Command = {
  usage: "snapshot create | list | verify [KEY] | restore KEY [flags]",
  summary: "Copy the cluster's metadata to the bucket, look at the copies, put one back.",
  details: [
    "A snapshot holds topics, configs, groups, offsets and the brokers' log positions, as of one " +
    "moment; records are in the bucket anyway. KEY is a snapshot's key, a file, or `latest`.",
    "`create` may run beside a broker, whatever keeps its metadata. Where objects are on this " +
    "machine's disk, too, it wants --file.",
    "To restore, stop all brokers, restore into the new or emptied metadata store, and start " +
    "them: they notice what the bucket has beyond the snapshot.",
  ],
  flags: [
    {
      name: "prefix",
      kind: "text",
      value: "PREFIX",
      doc: "First part of the snapshots' keys. Default: KAFSCALE_OPERATOR_ETCD_SNAPSHOT_PREFIX.",
    },
    { name: "file", kind: "text", value: "FILE", doc: "create: a new file, not the bucket." },
    { name: "keep", kind: "whole", value: "N", doc: "create: delete all but the N newest." },
    { name: "force", kind: "switch", doc: "restore: also over metadata that is not empty." },
    { name: "json", kind: "switch", doc: "Print JSON." },
  ],
  takesSettings: true,
  examples: [
    "kafscale snapshot create --keep 168",
    "kafscale snapshot create --file metadata.ksms",
    "kafscale snapshot verify latest",
    "KAFSCALE_ETCD_ENDPOINTS=new:2379 kafscale snapshot restore latest",
  ],
  async run(invocation) {
    const [action, ...rest] = invocation.args.positionals;
    const actions: Record<string, Action> = { create, list, verify, restore };
    if (action === undefined) throw new UsageError("say create, list, verify or restore");
    const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (act === undefined) {
      throw new UsageError(`unknown action ${action}${suggest(action, Object.keys(actions))}`);
    }
    if (rest.length > (action === "create" || action === "list" ? 0 : 1)) {
      throw new UsageError(`${action} does not take ${rest.at(-1)}`);
    }
    if (action === "restore" && rest.length === 0) throw new UsageError("restore which? or latest");
    const { config } = await loadConfig(invocation);
    const file = invocation.args.text("file");
    if (file !== undefined) {
      if (action !== "create") throw new UsageError(`${action} takes a file as its KEY`);
      await createFile(invocation, config, file);
      return EXIT.ok;
    }
    const access = action === "create" ? "write" : "read";
    const own = await invocation.wiring.openSnapshotBucket(config, LOG);
    const store = own?.store ?? await invocation.wiring.openStore(config, LOG, access);
    try {
      if (action === "create") await own?.prepare();
      const prefix = invocation.args.text("prefix") ?? config.operatorEtcdSnapshotPrefix;
      const place = { store, prefix, namespace: config.namespace };
      await act({ invocation, config, place, name: rest[0] ?? "latest" });
    } finally {
      await store.close();
    }
    return EXIT.ok;
  },
};

const LOG = systemLog("warn", true);

interface Task {
  readonly invocation: Invocation;
  readonly config: Config;
  readonly place: SnapshotPlace;
  /** Of a snapshot. */
  readonly name: string;
}

type Action = (task: Task) => Promise<void>;

/** Writes a snapshot to a file that is not there yet, and syncs it. */
async function createFile(invocation: Invocation, config: Config, path: string): Promise<void> {
  await withMetadata(invocation, config, "read", async (metadata) => {
    const parts = await Array.fromAsync(metadata.snapshot());
    const bytes = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    const file = await Deno.open(path, { write: true, createNew: true }).catch((error: Error) => {
      throw new CliError(
        error instanceof Deno.errors.AlreadyExists
          ? `there is a file ${path} already: name a new one`
          : `cannot write ${path}: ${error.message}`,
      );
    });
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    print(invocation, { file: path, size: bytes.length }, [`${path}  ${bytes.length} bytes`]);
  });
}

async function create({ invocation, config, place }: Task): Promise<void> {
  const keep = invocation.args.whole("keep", 1);
  await withMetadata(invocation, config, "read", async (metadata) => {
    const made = await createSnapshot(place, metadata, Date.now());
    const deleted = keep === undefined ? [] : await dropOldSnapshots(place, keep);
    print(invocation, { ...made, deleted }, [
      `${made.key}  ${made.size} bytes`,
      ...deleted.map((key) => `deleted ${key}`),
    ]);
  });
}

async function list({ invocation, place }: Task): Promise<void> {
  const snapshots = await listSnapshots(place);
  const lines = snapshots.map(({ key, size, createdMs }) =>
    `${key}  ${size} bytes  ${new Date(createdMs).toISOString()}`
  );
  print(invocation, snapshots, lines);
}

async function verify({ invocation, place, name }: Task): Promise<void> {
  const { key, bytes } = await load(place, name);
  const counts = countByKind(await readSnapshot(bytes));
  const lines = Object.entries(counts).map(([kind, count]) => `  ${kind}: ${count}`);
  print(invocation, { key, bytes: bytes.length, counts }, [`${key} is intact`, ...lines]);
}

async function restore({ invocation, config, place, name }: Task): Promise<void> {
  const { key, bytes } = await load(place, name);
  const { length } = await readSnapshot(bytes);
  await withMetadata(invocation, config, "write", async (metadata) => {
    const present = (await metadata.list("")).entries.length;
    if (present > 0 && !invocation.args.on("force")) {
      throw new CliError(
        `the metadata store holds ${present} keys, and a restore replaces all of them: stop the ` +
          "brokers and say --force",
      );
    }
    await restoreSnapshot(metadata, bytes);
  });
  print(invocation, { key, entries: length }, [`restored ${length} keys from ${key}`]);
}

/** A snapshot by its key, `latest`, or a file. */
async function load(
  place: SnapshotPlace,
  name: string,
): Promise<{ key: string; bytes: Uint8Array }> {
  const key = name === "latest" ? (await listSnapshots(place)).at(-1)?.key : name;
  if (key === undefined) {
    throw new CliError(
      `there is no snapshot below ${place.prefix}/${place.namespace}/; make one with ` +
        "kafscale snapshot create",
    );
  }
  const bytes = await Deno.readFile(key).catch(() => undefined) ??
    await place.store.get(key, undefined);
  if (bytes !== undefined) return { key, bytes };
  throw new CliError(`there is no snapshot and no file ${key}; kafscale snapshot list shows them`);
}

async function withMetadata(
  { wiring }: Invocation,
  config: Config,
  access: "read" | "write",
  use: (metadata: MetadataStore) => Promise<void>,
): Promise<void> {
  const metadata = await wiring.openMetadata(config, LOG, access);
  try {
    await use(metadata);
  } finally {
    await metadata.close();
  }
}

function print({ args }: Invocation, json: unknown, lines: readonly string[]): void {
  if (args.on("json")) console.log(JSON.stringify(json));
  else for (const line of lines) console.log(line);
}
