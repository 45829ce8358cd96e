/**
 * The object store of the brokers that the client suites start.
 *
 * Environment:
 * - KAFSCALE_TEST_STORE  `minio` or `s3`: that driver on a real MinIO, each broker with a namespace
 *                        of its own; unset: the default, a directory
 * - KAFSCALE_TEST_S3     JSON with the settings of a MinIO that runs; unset: one is started
 */
import { createHash } from "node:crypto";
import { Minio } from "../services/minio.ts";

// opened with the module: what a test opens it must close, and its brokers come and go
const STORE = await openStore();

async function openStore(): Promise<Readonly<Record<string, string>> | undefined> {
  const driver = Deno.env.get("KAFSCALE_TEST_STORE");
  if (driver === undefined) return undefined;
  if (driver !== "minio" && driver !== "s3") {
    throw new Error(`KAFSCALE_TEST_STORE must be minio or s3; got ${driver}`);
  }
  const given = Deno.env.get("KAFSCALE_TEST_S3");
  if (given !== undefined) return { KAFSCALE_STORAGE: driver, ...JSON.parse(given) };
  const minio = await Minio.start();
  return { KAFSCALE_STORAGE: driver, ...minio.settings(await minio.bucket()) };
}

/** Settings that name a store by themselves. */
const NAMES_A_STORE = ["KAFSCALE_STORAGE", "KAFSCALE_USE_MEMORY_S3", "KAFSCALE_S3_BUCKET"];

/** `settings`, with the store that is under test; a data directory stands for a namespace. */
export function withTestStore(
  settings: Readonly<Record<string, string>>,
  dataDir: string,
): Readonly<Record<string, string>> {
  if (STORE === undefined || NAMES_A_STORE.some((name) => name in settings)) return settings;
  const namespace = createHash("sha256").update(dataDir).digest("hex").slice(0, 12);
  return { ...STORE, KAFSCALE_NAMESPACE: namespace, ...settings };
}
