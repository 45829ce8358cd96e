/**
 * drivers: the registry of object stores and metadata stores, by the names that settings use.
 * Invariant: only the driver that a setting names is loaded, so the others cost no start-up time.
 * Upstream: core's contracts. Downstream: main.ts, tests, bench.
 * May import: core/config, core/runtime, core/storage, core/metadata, and the drivers.
 * @module
 */
import { type Config, suggest } from "../core/config/mod.ts";
import type { MetadataStore } from "../core/metadata/metadata_store.ts";
import type { Runtime } from "../core/runtime/mod.ts";
import { type ObjectStore, StoreError } from "../core/storage/object_store.ts";
import { healthProbeKey } from "../core/storage/keys.ts";
import type { SharedMetadata } from "./metadata/shared/driver.ts";
import type { SharedSettings } from "./metadata/shared/settings.ts";
import type { BucketSettings } from "./storage/s3_wire/bucket_settings.ts";

export interface DriverOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  /** For tools that look at a stopped broker's data: nothing is made, swept or locked. */
  readonly readOnly?: boolean;
}

type Open<T> = (options: DriverOptions) => Promise<T>;

/** What a module that a storage setting names by path is given. */
export interface StorageModuleOptions extends DriverOptions {
  /** The class of failures; a module outside of the program could not import this very one. */
  readonly StoreError: typeof StoreError;
}

/** What it must export; docs/examples/sqlite_store.js is one. */
export interface StorageModule {
  openObjectStore(options: StorageModuleOptions): Promise<ObjectStore>;
}

/** What a module that a metadata setting names by path must export. */
export interface MetadataModule {
  readonly openMetadataStore: Open<MetadataStore>;
}

const STORAGE: Readonly<Record<string, Open<ObjectStore>>> = {
  file: async ({ config, readOnly }) => {
    const { openFileStore } = await import("./storage/file/driver.ts");
    return openFileStore({ dir: `${config.dataDir}/objects`, readOnly: readOnly ?? false });
  },
  s3: async (options) => {
    const { openS3Store } = await import("./storage/s3/driver.ts");
    return await withReplica(options, openS3Store);
  },
  minio: async (options) => {
    const { openMinioStore } = await import("./storage/minio/driver.ts");
    return await withReplica(options, openMinioStore);
  },
  memory: async ({ runtime }) => {
    const { memoryStore, MemoryObjects } = await import("./storage/memory/driver.ts");
    return memoryStore(new MemoryObjects(), runtime);
  },
};

const METADATA: Readonly<Record<string, Open<MetadataStore>>> = {
  embedded: async ({ config, readOnly }) => {
    if (readOnly) {
      const { openEmbeddedCopy } = await import("./metadata/embedded/copy.ts");
      return openEmbeddedCopy({ dataDir: config.dataDir });
    }
    const { openEmbeddedMetadata } = await import("./metadata/embedded/driver.ts");
    return openEmbeddedMetadata({ dataDir: config.dataDir });
  },
  etcd: async ({ config, runtime }) => {
    const [{ openEtcdMetadata }, { etcdSettingsOf }] = await Promise.all([
      import("./metadata/etcd/driver.ts"),
      import("./metadata/etcd/settings.ts"),
    ]);
    return openEtcdMetadata(etcdSettingsOf(config), runtime);
  },
  memory: async ({ runtime }) => {
    const { MemoryMetadata } = await import("./metadata/memory/driver.ts");
    return new MemoryMetadata(runtime).connect();
  },
};

/** The bucket, behind its read replica where KAFSCALE_S3_READ_* name one. */
async function withReplica(
  { config, runtime, readOnly }: DriverOptions,
  open: (options: BucketSettings & { runtime: Runtime }) => ObjectStore | Promise<ObjectStore>,
): Promise<ObjectStore> {
  const { primaryBucket, replicaBucket } = await import("./storage/s3_wire/bucket_settings.ts");
  const primary = await open({ ...primaryBucket(config), runtime });
  const settings = replicaBucket(config);
  if (settings === undefined) return primary;
  try {
    const { replicaReadStore } = await import("./storage/replica_read/driver.ts");
    const replica = await open({ ...settings, runtime });
    if (!readOnly) void tryReplica(runtime, replica, config);
    return replicaReadStore({ runtime, primary, replica });
  } catch (error) {
    await primary.close();
    throw error;
  }
}

/** A replica that cannot be read is no reason not to start, but whoever set it up should know. */
async function tryReplica(runtime: Runtime, replica: ObjectStore, { namespace, brokerId }: Config) {
  try {
    await replica.get(healthProbeKey(namespace, brokerId), undefined);
  } catch (error) {
    runtime.log.warn("the read replica cannot be read; the primary is read until it can", {
      error,
    });
  }
}

/** A metadata store for several brokers of this process, each with a connection to it. */
export async function shareMetadata(settings: SharedSettings): Promise<SharedMetadata> {
  const { SharedMetadata } = await import("./metadata/shared/driver.ts");
  return new SharedMetadata(settings);
}

/** The object store that the settings name. */
export async function openStore(options: DriverOptions): Promise<ObjectStore> {
  return await open("storage", "openObjectStore", STORAGE, options);
}

/** A bucket for snapshots alone. */
export interface SnapshotBucket {
  readonly store: ObjectStore;
  /** Makes and protects it as the settings ask, once; rejects with one sentence. */
  prepare(): Promise<void>;
}

/**
 * Where snapshots go, if the settings name another bucket than the log's. Rejects with one sentence
 * where they ask for what a log's bucket must not have.
 */
export async function openSnapshotBucket(
  { config, runtime }: DriverOptions,
): Promise<SnapshotBucket | undefined> {
  const create = config.operatorEtcdSnapshotCreateBucket;
  const protect = config.operatorEtcdSnapshotProtectBucket;
  const { snapshotBucket } = await import("./storage/s3_wire/bucket_settings.ts");
  const settings = snapshotBucket(config);
  if (settings === undefined) {
    if (!protect) return undefined;
    throw new Error(
      "KAFSCALE_OPERATOR_ETCD_SNAPSHOT_PROTECT_BUCKET would keep all that the log deletes: set " +
        "KAFSCALE_OPERATOR_ETCD_SNAPSHOT_BUCKET to a bucket of the snapshots' own",
    );
  }
  const options = { ...settings, runtime };
  const store = config.storage === "minio"
    ? (await import("./storage/minio/driver.ts")).openMinioStore(options)
    : await (await import("./storage/s3/driver.ts")).openS3Store(options);
  let prepared: Promise<void> | undefined;
  const prepare = async () => {
    if (!create && !protect) return;
    const { prepareBucket } = await import("./storage/s3/bucket_admin.ts");
    prepared ??= prepareBucket(options, { create, protect });
    await prepared.catch((error) => {
      prepared = undefined;
      throw error;
    });
  };
  return { store, prepare };
}

/** The metadata store that the settings name. */
export function openMetadata(options: DriverOptions): Promise<MetadataStore> {
  return open("metadata", "openMetadataStore", METADATA, options);
}

/**
 * Both stores, for tools. With `readOnly` the metadata is opened anew at each call of `metadata`,
 * since a driver may have to show it as it was when it was opened.
 */
export async function openData(options: DriverOptions): Promise<{
  readonly store: ObjectStore;
  metadata(): Promise<MetadataStore>;
  close(): Promise<void>;
}> {
  // metadata first: it locks the data directory
  let metadata = await openMetadata(options);
  let fresh = true;
  const store = await openStore(options).catch(async (error) => {
    await metadata.close();
    throw error;
  });
  return {
    store,
    metadata: async () => {
      if (options.readOnly && !fresh) {
        await metadata.close();
        metadata = await openMetadata(options);
      }
      fresh = false;
      return metadata;
    },
    close: async () => {
      await metadata.close();
      await store.close();
    },
  };
}

async function open<T>(
  setting: "storage" | "metadata",
  exported: string,
  registry: Readonly<Record<string, Open<T>>>,
  options: DriverOptions,
): Promise<T> {
  const name = options.config[setting];
  if (Object.hasOwn(registry, name)) return await registry[name]!(options);
  const variable = `KAFSCALE_${setting.toUpperCase()}`;
  if (!/[./]/.test(name)) {
    throw new Error(
      `${variable} names no driver: ${name}${suggest(name, Object.keys(registry))}; ` +
        "a module is named by its path (./my_driver.ts)",
    );
  }
  const module = await importModule(variable, name);
  const opener = module[exported];
  if (typeof opener !== "function") {
    throw new Error(`the module ${name} that ${variable} names must export ${exported}(options)`);
  }
  return await (opener as Open<T>)({ ...options, StoreError } as DriverOptions);
}

async function importModule(variable: string, path: string): Promise<Record<string, unknown>> {
  const url = path.startsWith("file:") ? path : `file://${await Deno.realPath(path).catch(() => {
    throw new Error(`${variable} names the module ${path}, which does not exist`);
  })}`;
  try {
    return await import(url);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const typed = Deno.build.standalone && /\.[cm]?tsx?$/.test(path);
    const hint = typed ? "; a compiled kafscale loads plain JavaScript only" : "";
    throw new Error(`${variable} names the module ${path}, which cannot be loaded: ${why}${hint}`);
  }
}
