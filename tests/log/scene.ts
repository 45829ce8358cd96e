/**
 * A log room without a broker: opened, crashed and opened again on a bucket and a metadata service
 * that outlive it, the way core/broker.ts does it, in time that moves when a test says so.
 */
import { adopt, recover } from "../../core/cluster/recovery.ts";
import { defaultConfig } from "../../core/config/mod.ts";
import { Housekeeping } from "../../core/log/housekeeping.ts";
import type { LogContext } from "../../core/log/log_context.ts";
import { Logs } from "../../core/log/logs.ts";
import type { AppendResult, ReadablePartition } from "../../core/log/partition.ts";
import { PartitionLogState } from "../../core/log/partition_log.ts";
import { ReadAhead } from "../../core/storage/read_ahead.ts";
import { RefusedSequences } from "../../core/log/refused_sequences.ts";
import { SegmentReader } from "../../core/log/segment_reader.ts";
import { TrafficByTopic } from "../../core/log/topic_traffic.ts";
import { WalLedger } from "../../core/log/wal_ledger.ts";
import { raiseLowWater } from "../../core/metadata/brokers.ts";
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import { SeenMetadata } from "../../core/metadata/seen_metadata.ts";
import { type TopicSettings, topicSettings } from "../../core/metadata/topic_config.ts";
import { TopicRegistry } from "../../core/metadata/topics.ts";
import { buildBatch, type NewBatch } from "../../core/protocol/batch_builder.ts";
import { type LogRecord, readRecords } from "../../core/protocol/records.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { BlockCache } from "../../core/storage/block_cache.ts";
import { chainPrefix } from "../../core/storage/keys.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { Standing } from "../../core/storage/wal/sealed.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { MemoryMetadata } from "../../drivers/metadata/memory/driver.ts";
import {
  CALM,
  type MemoryFaults,
  MemoryObjects,
  memoryStore,
} from "../../drivers/storage/memory/driver.ts";
import { type ManualRuntime, manualRuntime } from "../runtime/manual_runtime.ts";

export const BROKER_ID = 3;

/** After its start a broker leaves clients alone for so long; then it rewrites WAL that is due. */
export const QUIET_MS = 10_000;
const CONFIG = defaultConfig({ namespace: "ns", brokerId: BROKER_ID });
const never = new Promise<never>(() => {});

type Settings = { -readonly [Name in keyof TopicSettings]?: TopicSettings[Name] };

/** What a test may set before a room is opened; `settings` also later. */
export interface SceneOptions {
  walBytes: number;
  walAgeMs: number;
  retentionCheckMs: number;
  orphanSweepMs: number;
  parallel: number;
  commitBytes: number;
  spacingMs: number;
  uncommittedBytesMax: number;
  readaheadSegments: number;
  /** As the store advises: its default is of one whose calls are dear. */
  readAheadBytes?: number;
}

export class Scene {
  readonly runtime: ManualRuntime;
  readonly objects = new MemoryObjects();
  readonly metadata: MemoryMetadata;
  /** Undefined: every call of the store is settled when it returns. */
  readonly faults: MemoryFaults | undefined;
  /** On top of the defaults, for all topics. */
  readonly settings: Settings = { retentionMs: -1 };
  readonly options: SceneOptions = {
    walBytes: 1 << 30,
    walAgeMs: 1e12,
    retentionCheckMs: 1e12,
    orphanSweepMs: 1e12,
    parallel: 2,
    commitBytes: 4_000,
    spacingMs: 0,
    uncommittedBytesMax: 1 << 20,
    readaheadSegments: 1,
  };

  /** Awaited before each metadata commit of a room that is opened from now on, counted from 1. */
  beforeCommit: ((count: number) => Promise<void> | void) | undefined;
  /** Called before each call that a room makes on the store. */
  beforeStore: ((room: Room) => void) | undefined;

  constructor(seed = 1, faults: "faults" | "no faults" = "no faults") {
    this.faults = faults === "faults" ? { ...CALM } : undefined;
    this.runtime = manualRuntime(seed);
    this.metadata = new MemoryMetadata(this.runtime);
  }

  /** Recovers and adopts; while faults are on, time must be moved for it to get on. */
  async open(): Promise<Room> {
    const room = new Room(this);
    await room.open();
    return room;
  }

  /** Lets time pass until `work` is done. */
  async until<T>(work: Promise<T>, limitMs = 600_000): Promise<T> {
    let done = false;
    const end = () => void (done = true);
    work.then(end, end);
    await this.runtime.settle();
    for (let ms = 0; !done && ms < limitMs; ms += 10) await this.runtime.advance(10);
    if (!done) throw new Error("it takes for ever");
    return await work;
  }

  keys(prefix: string): string[] {
    return this.objects.page(prefix, undefined, 1e6).map(({ key }) => key);
  }
}

export class Room {
  alive = true;
  fenced = false;
  readonly #abort = new AbortController();
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly metadata: MetadataStore & { crash(): void };
  readonly seen: SeenMetadata;
  readonly topics: TopicRegistry;
  readonly cache: BlockCache;
  chain!: WalChain;
  ledger!: WalLedger;
  logs!: Logs;
  housekeeping!: Housekeeping;
  brokerEpoch = -1;
  keeping = false;

  constructor(readonly scene: Scene) {
    const { runtime, objects, metadata, faults } = scene;
    const gate = () => this.alive ? undefined : never;
    const dead = (run: () => void) => () => void (this.alive && run());
    this.runtime = {
      ...runtime,
      timers: {
        after: (ms, run) => runtime.timers.after(ms, dead(run)),
        soon: (run) => runtime.timers.soon(dead(run)),
      },
    };
    this.store = mortal(memoryStore(objects, runtime, faults), () => {
      if (this.alive) scene.beforeStore?.(this);
      return this.alive;
    }, () => this.alive);
    const { beforeCommit } = scene;
    let commits = 0;
    const before = async (call: string) => {
      if (call === "commit") await beforeCommit?.(++commits);
      await gate();
    };
    this.metadata = metadata.connect({ before, after: gate });
    this.seen = new SeenMetadata(this.metadata);
    this.topics = new TopicRegistry({
      runtime: this.runtime,
      store: this.seen,
      config: CONFIG,
    });
    const { readAheadBytes } = scene.options;
    const sizes = { capacityBytes: 1 << 20, blockBytes: 4096 };
    this.cache = new BlockCache({
      store: this.store,
      ...sizes,
      ...(readAheadBytes === undefined ? {} : { readAheadBytes }),
    });
  }

  async open(): Promise<void> {
    const { runtime, store, seen: metadata, cache, topics, scene } = this;
    const { options } = scene;
    const { signal } = this.#abort;
    await topics.start();
    const base = { runtime, store, metadata, namespace: "ns", brokerId: BROKER_ID, signal };
    const incarnation = await recover(base);
    this.brokerEpoch = incarnation.brokerEpoch;
    this.keeping = incarnation.keeping;
    const ledger = this.ledger = new WalLedger({
      runtime,
      store,
      raiseLowWater: (slot) => raiseLowWater(metadata, BROKER_ID, this.brokerEpoch, slot),
      forget: (key) => cache.invalidate(key),
      signal,
    });
    const pool = new SlabPool(1);
    this.chain = new WalChain({
      runtime,
      store,
      namespace: "ns",
      brokerId: BROKER_ID,
      brokerEpoch: this.brokerEpoch,
      metadataMark: () => ({ generation: incarnation.generation, revision: metadata.revision }),
      pool,
      ...options,
      onCommitted: (object, commit) => {
        ledger.addOwn(object);
        for (const slab of commit.slabs) pool.release(slab);
      },
      onFenced: () => void (this.fenced = true),
    });
    await adopt(base, incarnation, this.chain);
    for (const object of incarnation.recovered.objects) ledger.addAdopted(object);
    const readAhead = new ReadAhead(cache);
    const context: LogContext = {
      runtime,
      store,
      cache,
      readAhead,
      segments: new SegmentReader(store, cache, readAhead, 16),
      chain: this.chain,
      standing: new Standing(this.chain),
      health: { refusesWrites: false, refusesReads: false, onChange: () => () => {} },
      refused: new RefusedSequences(runtime.clock, 100),
      pool,
      namespace: "ns",
      settings: (topic) => ({ ...topicSettings(topic, CONFIG), ...scene.settings }),
      leaderEpoch: () => 0,
      traffic: { readBytes: 0 },
      trafficByTopic: new TrafficByTopic(),
      readaheadSegments: options.readaheadSegments,
      producersMax: 100,
      producerExpirationMs: 86_400_000,
      signal,
    };
    this.logs = new Logs(context, topics, incarnation.recovered);
    this.housekeeping = new Housekeeping({
      context,
      logs: this.logs,
      topics,
      ledger,
      ownsChains: !incarnation.keeping,
      ...options,
    });
    topics.onChange((change) => {
      if (change.type === "deleted") this.housekeeping.resumeDeletions();
      else this.logs.changed(change.topic);
    });
    this.housekeeping.start();
  }

  /** Drops everything between two awaits; calls on their way may still take effect. */
  crash(): void {
    this.alive = false;
    this.metadata.crash();
    this.#abort.abort();
  }

  /** As the broker stops. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.housekeeping.stop();
    this.logs.close();
    this.chain.close();
    await this.topics.stop();
    this.crash();
  }

  async topic(name: string, partitionCount = 1): Promise<string> {
    await this.topics.create([{ name, partitionCount, configs: [] }]);
    return this.topics.byName(name)!.id;
  }

  async log(topicId: string, partition = 0): Promise<PartitionLogState> {
    const state = await this.logs.state(topicId, partition);
    if (!(state instanceof PartitionLogState)) throw new Error(`refused with code ${state}`);
    return state;
  }

  /** As the broker does after its start. */
  sweepLeftovers(): Promise<number> {
    if (this.keeping) return Promise.resolve(0);
    const own = chainPrefix("ns", BROKER_ID, this.brokerEpoch);
    return this.ledger.sweepLeftovers(`ns/.wal/${BROKER_ID}/`, own);
  }
}

/** A store whose answers reach the living only; `enter` is asked before each call. */
function mortal(store: ObjectStore, enter: () => boolean, alive: () => boolean): ObjectStore {
  const reach = <T>(call: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!enter()) return;
      call().then((value) => alive() && resolve(value), (error) => alive() && reject(error));
    });
  return {
    advice: store.advice,
    putIfAbsent: (key, body, o) => reach(() => store.putIfAbsent(key, body, o)),
    put: (key, body, o) => reach(() => store.put(key, body, o)),
    get: (key, range, o) => reach(() => store.get(key, range, o)),
    delete: (keys, o) => reach(() => store.delete(keys, o)),
    async *list(prefix, after, o) {
      if (!enter()) await never;
      for await (const info of store.list(prefix, after, o)) {
        if (!alive()) await never;
        yield info;
      }
    },
    close: () => store.close(),
  };
}

/** A batch with one record per value. */
export function batchOf(values: readonly string[], more: Partial<NewBatch> = {}): Uint8Array {
  const encoder = new TextEncoder();
  return buildBatch({
    baseTimestampMs: Date.UTC(2025, 0, 1),
    ...more,
    records: values.map((value) => ({ value: encoder.encode(value) })),
  });
}

export function append(log: PartitionLogState, bytes: Uint8Array): AppendResult {
  return log.append(bytes, 0, bytes.length, 9);
}

/** Appends one batch of `values` and waits until it is committed; the base offset. */
export async function commit(
  log: PartitionLogState,
  values: readonly string[],
  more: Partial<NewBatch> = {},
): Promise<number> {
  const { errorCode, baseOffset, committed } = append(log, batchOf(values, more));
  const code = errorCode || await committed || 0;
  if (code !== 0) throw new Error(`append was refused with code ${code}`);
  return baseOffset;
}

/** The records from `offset` on that one read of `maxBytes` brings, without those before it. */
export async function readFrom(
  log: ReadablePartition,
  offset: number,
  maxBytes = 1 << 20,
): Promise<{ errorCode: number; records: LogRecord[] }> {
  const { signal } = new AbortController();
  const read = await log.read(offset, maxBytes, "read_uncommitted", true, signal);
  const bytes = new Uint8Array(read.bytes);
  let at = 0;
  for (const part of read.records) {
    bytes.set(part, at);
    at += part.length;
  }
  read.release();
  const records = [...readRecords(bytes)].filter((record) => record.offset >= offset);
  return { errorCode: read.errorCode, records };
}

/** Offset and value of every record of the log. */
export async function readAll(log: ReadablePartition): Promise<[number, string][]> {
  const all: [number, string][] = [];
  const decoder = new TextDecoder();
  for (let offset = log.logStartOffset; offset < log.highWatermark;) {
    const { errorCode, records } = await readFrom(log, offset);
    if (errorCode !== 0 || records.length === 0) {
      throw new Error(`nothing to read at ${offset}, error code ${errorCode}`);
    }
    for (const record of records) all.push([record.offset, decoder.decode(record.value!)]);
    offset = records.at(-1)!.offset + 1;
  }
  return all;
}
