/**
 * The WAL chain on a driver, on a real MinIO, behind a proxy that loses, delays and repeats: what
 * was acknowledged is in the chain, in order, once; a rival's seal ends it.
 */
import { assert, assertEquals } from "@std/assert";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { WalChain } from "../../core/storage/wal/chain.ts";
import { NO_MARK } from "../../core/storage/wal/format.ts";
import type { Commit, RowSink, WalObject } from "../../core/storage/wal/commit.ts";
import type { BatchRow } from "../../core/storage/wal/format.ts";
import { sealChain, type SealedSlot } from "../../core/storage/wal/seal.ts";
import { SlabPool } from "../../core/storage/wal/slab_pool.ts";
import { FaultProxy } from "../services/fault_proxy.ts";
import type { Minio } from "../services/minio.ts";
import { Prng } from "../simulation/prng.ts";
import { bucketOn, DRIVERS, runtime } from "./bucket_stores.ts";
import { batchRow } from "./batch_row.ts";

const TOPIC = "AAECAwQFBgcICQoLDA0ODw";
const CHAIN = { brokerId: 1, brokerEpoch: 4, lowWaterSlot: 0 };
const TIMEOUT_MS = 1_000;
const BATCHES = 80;

class Sink implements RowSink {
  readonly topicId = TOPIC;
  readonly partition = 0;
  /** In the order of their commit. */
  readonly committedOffsets: number[] = [];
  committed(rows: readonly BatchRow[], _object: WalObject): void {
    this.committedOffsets.push(...rows.map((row) => row.baseOffset));
  }
}

/** A broker's chain: appends batches whose bytes follow from their offsets. */
class Writer {
  readonly sink = new Sink();
  readonly committedSlots: number[] = [];
  readonly acknowledged: Promise<[offset: number, code: number]>[] = [];
  readonly chain: WalChain;
  fenced = false;

  constructor(readonly store: ObjectStore, readonly random: Prng) {
    this.chain = new WalChain({
      runtime,
      store,
      namespace: "ns",
      ...CHAIN,
      metadataMark: () => NO_MARK,
      pool: new SlabPool(4),
      commitBytes: 300_000,
      parallel: 4,
      spacingMs: 0,
      uncommittedBytesMax: 2 << 20,
      onCommitted: (object: WalObject, commit: Commit) => {
        this.committedSlots.push(object.slot);
        commit.release();
      },
      onFenced: () => void (this.fenced = true),
    });
  }

  /** Appends `count` batches as a steady load does; stops where the chain has ended. */
  async append(count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      await this.chain.room(60_000);
      if (this.chain.ended !== 0) return;
      const offset = this.acknowledged.length;
      const bytes = batch(offset);
      const row = batchRow(offset);
      const commit = this.chain.append(this.sink, row, bytes, 0, bytes.length);
      this.acknowledged.push(commit.done.promise.then((code) => [offset, code]));
      await new Promise((resolve) => setTimeout(resolve, this.random.below(8)));
    }
  }
}

/** The offset's bytes, of a length of its own. */
function batch(offset: number): Uint8Array {
  const bytes = new Uint8Array(1_000 + offset * 7_919 % 250_000);
  new Prng(`batch ${offset}`).fill(bytes.subarray(0, 1_000));
  bytes.fill(offset & 0xff, 1_000);
  return bytes;
}

function spoil(proxy: FaultProxy): void {
  const rules = [
    [0.12, { kind: "loseReply" }],
    [0.08, { kind: "late", ms: 60 }],
    [0.08, { kind: "cutRequest", afterBytes: 20_000 }],
    [0.06, { kind: "cutBefore" }],
    [0.06, { kind: "refuse", code: "SlowDown" }],
    [0.06, { kind: "refuse", code: "InternalError" }],
    [0.06, { kind: "refuse", code: "OperationAborted" }],
    [0.02, { kind: "blackhole" }],
    [0.2, { kind: "delay", ms: 40 }],
    [0.1, { kind: "delayReply", ms: 60 }],
  ] as const;
  for (const [chance, fault] of rules) proxy.add({ chance, fault });
  proxy.add({ on: ["GET", "LIST"], chance: 0.15, fault: { kind: "cutReply", afterBytes: 700 } });
}

/** The sealed chain holds these offsets in order, each with its bytes. */
async function readBack(store: ObjectStore, slots: readonly SealedSlot[]): Promise<number[]> {
  const offsets: number[] = [];
  for (const { key, footer } of slots) {
    const body = await store.get(key, undefined);
    for (const { baseOffset, position, length } of footer.partitions.flatMap(({ rows }) => rows)) {
      const found = body!.subarray(position, position + length);
      const wanted = batch(baseOffset);
      assertEquals(found.length, wanted.length, `length of ${baseOffset}`);
      assert(found.every((byte, at) => byte === wanted[at]), `bytes of ${baseOffset}`);
      offsets.push(baseOffset);
    }
  }
  return offsets;
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

export function chainUnderFaults(minio: Minio, driver: keyof typeof DRIVERS): void {
  const test = (
    name: string,
    run: (o: { proxy: FaultProxy; hurt: ObjectStore; calm: ObjectStore }) => Promise<void>,
  ) => {
    Deno.test(`${driver} under faults: ${name}`, async () => {
      const seed = Deno.env.get("KAFSCALE_FAULT_SEED") ?? crypto.randomUUID().slice(0, 8);
      console.log(`fault seed ${seed} (KAFSCALE_FAULT_SEED repeats it)`);
      await using proxy = new FaultProxy({ port: minio.port, seed });
      const straight = bucketOn(minio, await minio.bucket());
      const times = { timeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS };
      const calm = await DRIVERS[driver](straight);
      const hurt = await DRIVERS[driver]({ ...straight, endpoint: proxy.endpoint, ...times });
      try {
        await run({ proxy, hurt, calm });
        console.log(`${proxy.total} requests, struck: ${JSON.stringify(proxy.struck)}`);
      } finally {
        await hurt.close();
        await calm.close();
      }
    });
  };
  const sealer = (store: ObjectStore) => ({
    runtime,
    store,
    namespace: "ns",
    brokerId: 2,
    brokerEpoch: 5,
    signal: new AbortController().signal,
  });

  test("all that a chain is given is committed in order and reads back", async (o) => {
    spoil(o.proxy);
    const writer = new Writer(o.hurt, new Prng("load"));
    await writer.append(BATCHES);
    await writer.chain.flush();
    const acknowledged = await Promise.all(writer.acknowledged);
    assertEquals(acknowledged, upTo(BATCHES).map((offset) => [offset, 0]));
    assertEquals(writer.sink.committedOffsets, upTo(BATCHES));
    assertEquals(writer.committedSlots, upTo(writer.committedSlots.length));
    assert(writer.chain.stats.retries > 5, `${writer.chain.stats.retries} retries`);
    const slots = await sealChain(sealer(o.hurt), CHAIN);
    assertEquals(slots.length, writer.committedSlots.length);
    assertEquals(await readBack(o.calm, slots), upTo(BATCHES));
    writer.chain.close();
  });

  test("a seal under load ends the chain, and all that was acknowledged is in it", async (o) => {
    spoil(o.proxy);
    const writer = new Writer(o.hurt, new Prng("load"));
    const load = writer.append(5 * BATCHES);
    while (writer.committedSlots.length < 15) await new Promise((go) => setTimeout(go, 5));
    const slots = await sealChain(sealer(o.calm), CHAIN);
    await load;
    await writer.chain.flush();
    assert(writer.fenced, "the writer went on behind the seal");
    const results = await Promise.all(writer.acknowledged);
    const granted = results.filter(([, code]) => code === 0).map(([offset]) => offset);
    const stored = await readBack(o.calm, slots);
    assertEquals(stored, upTo(stored.length));
    assertEquals(granted, upTo(granted.length));
    assert(granted.length <= stored.length, `${granted.length} granted, ${stored.length} stored`);
    assert(results.length > granted.length, "nobody was refused");
    // late writes of the fenced broker change nothing
    await new Promise((resolve) => setTimeout(resolve, 200));
    const again = await sealChain(sealer(o.calm), CHAIN);
    assertEquals(again.map(({ key }) => key), slots.map(({ key }) => key));
    assertEquals(await readBack(o.calm, again), stored);
  });
}
