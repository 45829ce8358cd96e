/** A bucket and its metadata as brokers leave them, to be checked as they are or once damaged. */
import { defaultConfig } from "../../core/config/mod.ts";
import {
  type Depth,
  fsck,
  fsckAndRepair,
  type FsckOptions,
  type FsckReport,
  type Repaired,
} from "../../core/fsck/mod.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { decodeManifest, encodeManifest, type Manifest } from "../../core/storage/manifest.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import type { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import { memoryStore } from "../../drivers/storage/memory/driver.ts";
import { commit, readAll, Scene } from "../log/scene.ts";

export const PARTITION = "ns/a/0/";

const CONFIG = defaultConfig({ namespace: "ns", brokerId: 3 });

export interface HealthyStore {
  readonly scene: Scene;
  readonly topicId: string;
}

/**
 * Topic `a`: partition 0 with segments at 0, 4 and 8, each of two batches with two records, and the
 * rest of its 17 records in the commit log; partition 1 with entries that the second incarnation
 * adopted, and one of its own; partition 2 empty. Nobody runs.
 */
export async function healthyStore(seed = 1): Promise<HealthyStore> {
  const scene = new Scene(seed);
  const first = await scene.open();
  const configs = [["index.interval.bytes", "1"]] as const;
  await first.topics.create([{ name: "a", partitionCount: 3, configs }]);
  const topicId = first.topics.byName("a")!.id;
  const log = await first.log(topicId, 0);
  for (let at = 0; at < 8; at++) {
    const producer = { producerId: 7, producerEpoch: 0, baseSequence: 2 * at };
    await commit(log, [`zero ${at}`, "more"], producer);
    if (at === 1 || at === 3 || at === 5) await rewriteTail(log, true);
  }
  await commit(await first.log(topicId, 1), ["one 0"]);
  await commit(await first.log(topicId, 1), ["one 1", "one 2"]);
  await first.ledger.sweep();
  first.crash();
  const second = await scene.open();
  await commit(await second.log(topicId, 0), ["zero 8"]);
  await commit(await second.log(topicId, 1), ["one 3"]);
  await second.sweepLeftovers();
  second.crash();
  return { scene, topicId };
}

export interface CheckOptions {
  readonly depth?: Depth;
  readonly topics?: readonly string[];
  readonly moving?: boolean;
  readonly store?: ObjectStore;
  /** Of another scene. */
  readonly metadata?: MemoryMetadata;
}

function optionsOf({ scene }: { readonly scene: Scene }, o: CheckOptions): FsckOptions {
  const { runtime, objects, metadata } = scene;
  return {
    runtime,
    store: o.store ?? memoryStore(objects, runtime),
    metadata: () => Promise.resolve((o.metadata ?? metadata).connect()),
    config: CONFIG,
    depth: o.depth ?? "normal",
    topics: o.topics === undefined ? undefined : new Set(o.topics),
    moving: o.moving ?? false,
    signal: new AbortController().signal,
  };
}

export function check(store: { readonly scene: Scene }, o: CheckOptions = {}): Promise<FsckReport> {
  return fsck(optionsOf(store, o));
}

export async function repair(
  store: { readonly scene: Scene },
  o: CheckOptions = {},
): Promise<{ report: FsckReport; repairs: Repaired[] }> {
  const repairs: Repaired[] = [];
  const report = await fsckAndRepair(optionsOf(store, o), (each) => void repairs.push(each));
  return { report, repairs };
}

/** `code key` of each finding, in the order of the alphabet, doubles left out. */
export function found(report: FsckReport): string[] {
  return [...new Set(report.findings.map(({ code, key }) => `${code} ${key}`))].sort();
}

/** Changes one object's bytes. */
export function alter(scene: Scene, key: string, change: (bytes: Uint8Array) => Uint8Array | void) {
  const bytes = scene.objects.get(key);
  if (bytes === undefined) throw new Error(`there is no ${key}`);
  const copy = bytes.slice();
  scene.objects.set(key, change(copy) ?? copy);
}

/** The newest manifest below `prefix`. */
export function manifestOf(scene: Scene, prefix: string): { key: string; manifest: Manifest } {
  const key = scene.keys(`${prefix}manifest-`).at(-1);
  if (key === undefined) throw new Error(`there is no manifest in ${prefix}`);
  return { key, manifest: decodeManifest(scene.objects.get(key)!) };
}

export function alterManifest(scene: Scene, change: (manifest: Manifest) => Partial<Manifest>) {
  const { key, manifest } = manifestOf(scene, PARTITION);
  scene.objects.set(key, encodeManifest({ ...manifest, ...change(manifest) }).slice());
}

/** Every record of topic `a`, read by a broker that starts on the store. */
export async function readEverything({ scene, topicId }: HealthyStore): Promise<unknown[]> {
  const room = await scene.open();
  const all: unknown[] = [];
  for (let partition = 0; partition < 3; partition++) {
    const log = await room.log(topicId, partition);
    all.push(await readAll(log));
    while (await rewriteTail(log, true) > 0);
    all.push(await readAll(log));
  }
  await room.stop();
  return all;
}
