/**
 * `deno run -A bench/partitions.ts [partitions] [topics] [idle seconds]`: many partitions on one
 * broker (10,000 in 10 topics): create, produce a batch to each, restart, idle. Prints each figure.
 */
import { figure, MIB, table } from "./figures.ts";
import { ClientConnection, createTopic } from "./load/client_connection.ts";
import { produceLoad } from "./load/produce_load.ts";
import { listOffsets, readListOffsets } from "./load/wire.ts";
import { type Peer, startPeer } from "./peers.ts";
import { cpuSeconds, memory } from "./process_figures.ts";

async function timed(run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** Throws unless every partition of `topic` has `records` records. */
async function expectInEach(port: number, topic: string, partitions: number, records: number) {
  const connection = await ClientConnection.open("127.0.0.1", port);
  const ends = readListOffsets(await connection.call(listOffsets(topic, partitions, -1)));
  connection.close();
  const wrong = ends.findIndex((end) => end !== records);
  if (ends.length === partitions && wrong < 0) return;
  throw new Error(`${topic}: ${ends.length} partitions, ${wrong} has ${ends[wrong]} records`);
}

async function idleCores(peer: Peer, seconds: number): Promise<number> {
  const before = cpuSeconds(peer.pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (cpuSeconds(peer.pid) - before) / seconds;
}

/** One batch of one small record to every partition, 100 partitions a request. */
async function produceToAll(port: number, topic: string, partitions: number): Promise<void> {
  const each = Math.min(100, partitions);
  const { records } = await produceLoad({
    port,
    topic,
    partitions,
    connections: 1,
    depth: 5,
    batchBytes: 100,
    recordBytes: 100,
    batchesPerRequest: each,
    acks: -1,
    idempotent: false,
    bytesPerSecond: 0,
    seconds: 600,
    requestsMax: Math.floor(partitions / each),
  });
  if (records !== partitions) throw new Error(`${records} records for ${partitions} partitions`);
}

async function main(): Promise<void> {
  const partitions = Number(Deno.args[0] ?? 10_000);
  const topics = Array.from({ length: Number(Deno.args[1] ?? 10) }, (_, index) => `many-${index}`);
  const each = partitions / topics.length;
  // Long enough for every periodic task of the broker to come round.
  const idleSeconds = Number(Deno.args[2] ?? 20);
  if (!Number.isInteger(each) || each > 100 && each % 100 !== 0) {
    throw new Error("want hundreds of partitions in each topic");
  }
  const dataDir = await Deno.makeTempDir({ prefix: "kafscale-bench-" });
  const rows: string[][] = [[`${partitions} partitions`, ""]];
  const row = (name: string, value: number) => {
    rows.push([name, figure(value)]);
    console.error(`${name}: ${figure(value)}`);
  };
  const resident = (peer: Peer) => memory(peer.pid).residentBytes / MIB;
  let peer = await startPeer("kafscale", { dataDir });
  try {
    row("start, empty: s", peer.startMs / 1000);
    row("memory, empty: MiB", resident(peer));
    const onAll = (run: (topic: string) => Promise<void>) =>
      timed(async () => {
        for (const topic of topics) await run(topic);
      });
    row("create: s", await onAll((topic) => createTopic(peer.port, topic, each)));
    row("produce to each: s", await onAll((topic) => produceToAll(peer.port, topic, each)));
    row("produce to each again: s", await onAll((topic) => produceToAll(peer.port, topic, each)));
    row("memory: MiB", resident(peer));
    row("idle: share of a core", await idleCores(peer, idleSeconds));
    row("stop: s", await timed(() => peer.stop()));
    peer = await startPeer("kafscale", { dataDir });
    row("restart: s", peer.startMs / 1000);
    row("check all: s", await onAll((topic) => expectInEach(peer.port, topic, each, 2)));
    row("produce to each: s", await onAll((topic) => produceToAll(peer.port, topic, each)));
    row("memory after the restart: MiB", resident(peer));
    row("idle after the restart: share of a core", await idleCores(peer, idleSeconds));
    Deno.kill(peer.pid, "SIGKILL");
    await peer.stop();
    peer = await startPeer("kafscale", { dataDir });
    row("restart after kill -9: s", peer.startMs / 1000);
    row("check all: s", await onAll((topic) => expectInEach(peer.port, topic, each, 3)));
  } catch (error) {
    console.error(peer.log.slice(-20).join("\n"));
    throw error;
  } finally {
    await peer.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
  console.log(table(rows));
}

if (import.meta.main) await main();
