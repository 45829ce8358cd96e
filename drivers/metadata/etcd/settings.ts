import type { Config } from "../../../core/config/mod.ts";
import { MetadataError } from "../../../core/metadata/metadata_store.ts";

export interface EtcdSettings {
  /** `http://host:port` or `https://host:port`, all of one kind. */
  readonly endpoints: readonly string[];
  /** First part of every key, without a slash at its end; one etcd can serve several clusters. */
  readonly prefix: string;
  readonly username: string | null;
  readonly password: string | null;
  /** Files with PEM text. Without a CA the system's are trusted. */
  readonly caFile: string | null;
  /** The client's certificate and its key; both or none. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** How long one call of the contract may take. */
  readonly timeoutMs: number;
}

export const ETCD_LIMITS = {
  /** What etcd takes of one request unless it is told otherwise (--max-request-bytes). */
  requestBytes: 1.5 * 1024 * 1024,
  /** Operations in one transaction (--max-txn-ops). */
  transactionOps: 128,
  /** Keys of the first page of a listing, and of the later ones at most. */
  pageKeysFirst: 64,
  pageKeys: 1_000,
  /** What a page should weigh; the number of keys is adapted to it. */
  pageBytes: 1024 * 1024,
  /** Attempts of a listing whose revision is compacted away under it; the last one has no pages. */
  listAttempts: 5,
  /** How long one endpoint may take to answer before another one is asked. */
  attemptMs: 2_000,
  /** How long opening goes on trying, in time-outs; then the broker says so and ends. */
  openTimeouts: 2,
  /** What a call may take while etcd has been away for longer than a whole time-out. */
  outagePatienceMs: 1_000,
  /** Pauses between attempts to reach etcd; they double. */
  pauseMinMs: 50,
  pauseMaxMs: 1_000,
  /** An endpoint with a watch that has told nothing for this long is asked whether it lives. */
  watchCheckMs: 3_000,
  /** How long close() waits for the leases to be revoked. */
  closeMs: 2_000,
} as const;

/** The rows of the settings table that are this driver's. */
export function etcdSettingsOf(config: Config): EtcdSettings {
  return {
    endpoints: endpointList(config.etcdEndpoints ?? ""),
    prefix: config.etcdPrefix,
    username: config.etcdUsername,
    password: config.etcdPassword,
    caFile: config.etcdCaFile,
    certFile: config.etcdCertFile,
    keyFile: config.etcdKeyFile,
    timeoutMs: config.etcdTimeoutMs,
  };
}

/** The endpoints of a comma-separated list, `http://` where it names no protocol. */
function endpointList(list: string): string[] {
  return list.split(",").map((each) => each.trim()).filter((each) => each !== "")
    .map((each) => /^https?:\/\//.test(each) ? each : `http://${each}`);
}

/** What etcd3's client takes as `credentials`. */
export interface TlsFiles {
  readonly ca: Uint8Array | undefined;
  readonly cert: Uint8Array | undefined;
  readonly key: Uint8Array | undefined;
}

/** Reads the TLS files; undefined for endpoints without TLS. Throws a fatal MetadataError. */
export async function readTlsFiles(settings: EtcdSettings): Promise<TlsFiles | undefined> {
  const secure = settings.endpoints.filter((each) => each.startsWith("https://")).length;
  const { caFile, certFile, keyFile } = settings;
  if (secure === 0) {
    if (caFile === null && certFile === null && keyFile === null) return undefined;
    throw new MetadataError(
      "fatal",
      "TLS files are set for etcd, but its endpoints are plain; write them as https://host:port",
    );
  }
  if (secure < settings.endpoints.length) {
    throw new MetadataError(
      "fatal",
      "etcd's endpoints mix http:// and https://; name all of them with the same protocol",
    );
  }
  return { ca: await read(caFile), cert: await read(certFile), key: await read(keyFile) };
}

async function read(file: string | null): Promise<Uint8Array | undefined> {
  if (file === null) return undefined;
  try {
    return await Deno.readFile(file);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "does not exist" : "cannot be read";
    throw new MetadataError("fatal", `the TLS file ${file} for etcd ${why}; name a readable one`, {
      cause,
    });
  }
}
