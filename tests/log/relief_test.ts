import { assert, assertEquals } from "@std/assert";
import { append, batchOf, QUIET_MS, readAll, Scene } from "./scene.ts";

const MIB = 1 << 20;
const PARTITIONS = 40;

/**
 * A broker on a slow store, whose partitions get 200 KiB a second in turn, beside readers who take
 * `readBytesPerSecond`; the most WAL there was after the first `settleMs` of three minutes.
 */
async function peakUnderLoad(readBytesPerSecond: number, settleMs: number) {
  const scene = new Scene(1, "faults");
  scene.options.walBytes = MIB;
  scene.options.commitBytes = MIB;
  const room = await scene.until(scene.open());
  const topic = await scene.until(room.topic("a", PARTITIONS));
  const logs = await Promise.all(
    Array.from({ length: PARTITIONS }, (_, at) => scene.until(room.log(topic, at))),
  );
  // A partition takes five calls of the store, half a second.
  Object.assign(scene.faults!, { latencyMinMs: 100, latencyMaxMs: 100 });
  const batch = batchOf(["x".repeat(20 << 10)]);
  const { traffic } = logs[0]!.context;
  let sent = 0;
  let appendedBytes = 0;
  const produce = () => {
    // It is stamped in place.
    const { errorCode } = append(logs[sent++ % PARTITIONS]!, batch.slice());
    assertEquals(errorCode, 0);
    appendedBytes += batch.length;
    traffic.readBytes += readBytesPerSecond / 10;
    scene.runtime.timers.after(100, produce);
  };
  produce();
  let peakBytes = 0;
  for (let ms = 0; ms < 180_000; ms += 1_000) {
    await scene.runtime.advance(1_000);
    if (ms >= settleMs) peakBytes = Math.max(peakBytes, room.ledger.bytes);
  }
  return { peakBytes, appendedBytes, stats: room.housekeeping.stats };
}

// A round over all partitions takes 5 s at the least, in which as much comes as may pile up.
Deno.test("WAL stays near KAFSCALE_WAL_BYTES under a steady moderate load", async () => {
  const { peakBytes, appendedBytes, stats } = await peakUnderLoad(0, 0);
  assert(appendedBytes > 30 * MIB, `${appendedBytes} bytes`);
  assert(peakBytes < 6 * MIB, `${peakBytes} bytes of WAL`);
  assertEquals(stats.failures, 0);
});

Deno.test("WAL stays bounded beside clients that are busy all the time", async () => {
  // The first 20 seconds pass for a burst, which is let through.
  const { peakBytes, appendedBytes } = await peakUnderLoad(20 * MIB, 60_000);
  assert(appendedBytes > 30 * MIB, `${appendedBytes} bytes`);
  assert(peakBytes < 7 * MIB, `${peakBytes} bytes of WAL`);
});

Deno.test("rewriting that is under way stops for clients that come back, for a while", async () => {
  const scene = new Scene(1, "faults");
  Object.assign(scene.options, { walBytes: MIB, commitBytes: MIB });
  const room = await scene.until(scene.open());
  const topic = await scene.until(room.topic("a", PARTITIONS));
  const logs = await Promise.all(
    Array.from({ length: PARTITIONS }, (_, at) => scene.until(room.log(topic, at))),
  );
  const batch = batchOf(["x".repeat(100 << 10)]);
  for (const log of logs) append(log, batch.slice());
  Object.assign(scene.faults!, { latencyMinMs: 100, latencyMaxMs: 100 });
  const { stats } = room.housekeeping;
  for (let ms = 0; stats.rewrites === 0 && ms < 30_000; ms += 100) await scene.runtime.advance(100);
  const { traffic } = logs[0]!.context;
  const read = () => {
    traffic.readBytes += MIB;
    scene.runtime.timers.after(50, read);
  };
  read();
  await scene.runtime.advance(2_000);
  const before = stats.rewrites;
  assert(before > 0 && before < PARTITIONS / 2, `${before} rewrites`);
  await scene.runtime.advance(10_000);
  assertEquals(stats.rewrites, before);
  // Then it is their turn to make room.
  await scene.runtime.advance(60_000);
  assert(room.ledger.bytes <= MIB, `${room.ledger.bytes} bytes of WAL`);
});

Deno.test("rewriting goes along the WAL: objects are read once, and go one by one", async () => {
  const scene = new Scene();
  scene.options.walBytes = 64 << 10;
  scene.settings.segmentBytes = 64 << 10;
  const room = await scene.open();
  // A rest that fills no segment is in the way of the first objects' removal.
  const rest = await room.log(await room.topic("rest"));
  await append(rest, batchOf(["x"])).committed;
  const topic = await room.topic("a", 4);
  const logs = await Promise.all([0, 1, 2, 3].map((at) => room.log(topic, at)));
  const batch = batchOf(["x".repeat(5_000)]);
  for (let turn = 0; turn < 200; turn++) {
    await Promise.all(logs.map((log) => append(log, batch.slice()).committed));
  }
  const walBytes = room.ledger.bytes;
  let readBytes = 0;
  let peakObjects = 0;
  const { get, putIfAbsent } = room.store;
  Object.assign(room.store, {
    get: async (...args: Parameters<typeof get>) => {
      const bytes = await get(...args);
      if (args[0].endsWith(".wal")) readBytes += bytes?.length ?? 0;
      return bytes;
    },
    putIfAbsent: async (...args: Parameters<typeof putIfAbsent>) => {
      const created = await putIfAbsent(...args);
      if (args[0].endsWith(".kfs")) peakObjects = Math.max(peakObjects, scene.objects.size);
      return created;
    },
  });
  const before = scene.objects.size;
  await scene.runtime.advance(QUIET_MS);
  assert(room.ledger.bytes <= scene.options.walBytes, `${room.ledger.bytes} bytes of WAL left`);
  assert(readBytes < walBytes * 1.2, `${readBytes} bytes were read of ${walBytes}`);
  // A segment of each partition, with its index and manifest, comes before a part of the WAL goes.
  assert(peakObjects < before + 30, `${peakObjects} objects, ${before} before`);
});

Deno.test("large batches of several partitions come through rewriting as they were", async () => {
  const scene = new Scene();
  scene.options.walBytes = 0;
  const room = await scene.open();
  const topic = await room.topic("a", 3);
  const logs = await Promise.all([0, 1, 2].map((at) => room.log(topic, at)));
  const value = (partition: number, turn: number) => `${partition}/${turn}`.repeat(30_000);
  for (let turn = 0; turn < 6; turn++) {
    await Promise.all(
      logs.map((log, at) => append(log, batchOf([value(at, turn)])).committed),
    );
  }
  await scene.runtime.advance(QUIET_MS);
  for (const [at, log] of logs.entries()) {
    assertEquals(log.tail.length, 0);
    assertEquals(
      (await readAll(log)).map(([, text]) => text),
      Array.from({ length: 6 }, (_, turn) => value(at, turn)),
    );
  }
});
