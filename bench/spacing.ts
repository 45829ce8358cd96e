/**
 * What one producer that waits for answers gets from a store that is as far away as S3, and what
 * its commits cost: kafka-producer-perf-test on a MinIO behind a proxy that holds replies back.
 * See `HELP`.
 */
import { parseArgs } from "@std/cli/parse-args";
import { FaultProxy } from "../tests/services/fault_proxy.ts";
import { Minio } from "../tests/services/minio.ts";
import { PARTITIONS, produce, TUNED } from "./end_to_end/phases.ts";
import { figure, MIB, table } from "./figures.ts";
import { provenance } from "./machine.ts";
import { startPeer } from "./peers.ts";
import { PRICES } from "./store_requests.ts";

const HELP = `Usage: spacing.ts [options]
  One row for each spacing: throughput with the client's defaults, idempotent, acks=all, records of
  1 KiB, ${PARTITIONS} partitions; commits a second; dollars for the commits of a TB. Needs java
  and mvn.

  --spacings-ms 250,25   KAFSCALE_FLUSH_INTERVAL_MS
  --store-ms 40          how long replies of the store are held back
  --records 60000        of a run; what a pause saves is spent on as many before
  --storage s3           or minio: the driver
  --tuned                batch.size=131072 linger.ms=5
  --checkout DIR         another checkout to run the broker from`;

const RECORD_BYTES = 1024;
const TB = 1e12;

interface Run {
  readonly storage: string;
  readonly storeMs: number;
  readonly spacingMs: number;
  readonly records: number;
  readonly properties: readonly string[];
  readonly checkout: string | undefined;
}

async function run(o: Run): Promise<string[]> {
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  await using minio = await Minio.start();
  await using proxy = new FaultProxy({ port: Number(new URL(minio.endpoint).port) });
  const late = { fault: { kind: "delayReply", ms: o.storeMs } } as const;
  const commits = proxy.add({ ...late, on: "PUT", key: /\.wal$/ });
  proxy.add(late);
  const env = {
    ...minio.settings(await minio.bucket()),
    KAFSCALE_S3_ENDPOINT: proxy.endpoint,
    KAFSCALE_STORAGE: o.storage,
    KAFSCALE_FLUSH_INTERVAL_MS: String(o.spacingMs),
  };
  const at = o.checkout === undefined ? {} : { checkout: o.checkout };
  const peer = await startPeer("kafscale", { dataDir, env, ...at });
  try {
    await produce(peer, "before", "before", o.records, o.properties);
    const [begun, before] = [performance.now(), commits.struck];
    const figures = await produce(peer, "produce", "measured", o.records, o.properties);
    const seconds = (performance.now() - begun) / 1_000;
    const puts = commits.struck - before;
    const bytes = o.records * RECORD_BYTES;
    return [
      `${o.spacingMs}`,
      figure(figures["produce: MiB/s"]!),
      figure(figures["produce: p50 ms"]!),
      figure(puts / seconds),
      figure(bytes / puts / 1024),
      figure(puts * PRICES.write / 1_000 * TB / bytes),
    ];
  } finally {
    await peer.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, {
    string: ["spacings-ms", "store-ms", "records", "storage", "checkout"],
    boolean: ["tuned", "help"],
  });
  if (args["help"] === true) return console.log(HELP);
  const o = {
    storage: String(args["storage"] ?? "s3"),
    storeMs: Number(args["store-ms"] ?? 40),
    records: Number(args["records"] ?? 60_000),
    properties: args["tuned"] === true ? TUNED : [],
    checkout: args["checkout"] === undefined ? undefined : String(args["checkout"]),
  };
  const { commit, runtime } = await provenance();
  console.log(
    `${commit}, ${runtime}, driver ${o.storage}, replies ${o.storeMs} ms late, ` +
      `${figure(o.records * RECORD_BYTES / MIB)} MiB`,
  );
  const rows = [["spacing ms", "MiB/s", "p50 ms", "commits/s", "KiB each", "dollars a TB"]];
  for (const spacing of String(args["spacings-ms"] ?? "250,25").split(",")) {
    rows.push(await run({ ...o, spacingMs: Number(spacing) }));
  }
  console.log(table(rows));
}

if (import.meta.main) await main();
