/**
 * Random lives of a log room on a bad store, against what was acknowledged. Offsets are dense, each
 * has one value for ever (I2), nothing acknowledged is lost (I1), nothing idempotent is doubled
 * (I6). `MODEL_SEED=n` repeats one life; `MODEL_SEEDS=n` runs that many.
 */
import { assert, assertEquals } from "@std/assert";
import type { PartitionLogState } from "../../core/log/partition_log.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { CALM } from "../../drivers/storage/memory/driver.ts";
import { append, batchOf, readAll, readFrom, Room, Scene } from "./scene.ts";
import { mulberry32 } from "../runtime/manual_runtime.ts";

const PARTITIONS = 3;
const STEPS = 60;

class Partition {
  /** Everything that any reader ever saw, and everything acknowledged. */
  readonly known = new Map<number, string>();
  acknowledgedEnd = 0;
  /** The greatest log start offset that may have been asked for. */
  logStartMax = 0;
  logStartMin = 0;
  highWatermark = 0;

  learn(offset: number, value: string): void {
    const before = this.known.get(offset);
    if (before !== undefined) assertEquals(value, before, `offset ${offset} has two values`);
    this.known.set(offset, value);
  }
}

/** An idempotent producer on one partition, that tries again what was not answered. */
class Producer {
  sequence = 0;
  waiting: { values: string[]; at: Room } | undefined;
  constructor(readonly id: number, readonly partition: number) {}
}

class Life {
  readonly scene: Scene;
  readonly model = Array.from({ length: PARTITIONS }, () => new Partition());
  readonly producers = Array.from(
    { length: 4 },
    (_, at) => new Producer(100 + at, at % PARTITIONS),
  );
  readonly random: () => number;
  room!: Room;
  /** Earlier rooms that don't know yet that they were replaced. */
  zombies: Room[] = [];
  opening: Promise<void> | undefined;
  failure: unknown;
  topicId = "";
  values = 0;
  retention = false;

  constructor(readonly seed: number) {
    this.scene = new Scene(seed, "faults");
    this.random = mulberry32(seed ^ 0x5eed);
  }

  pick(below: number): number {
    return this.random() % below;
  }

  chance(of: number): boolean {
    return this.random() / 2 ** 32 < of;
  }

  async run(): Promise<void> {
    const { scene } = this;
    const { settings, options } = scene;
    const faults = scene.faults!;
    settings.segmentBytes = [300, 700, 2_000][this.pick(3)]!;
    settings.indexIntervalBytes = 200;
    settings.fileDeleteDelayMs = [0, 500, 60_000][this.pick(3)]!;
    options.commitBytes = [300, 1_500, 10_000][this.pick(3)]!;
    options.parallel = 1 + this.pick(4);
    options.walBytes = [0, 2_000, 1 << 30][this.pick(3)]!;
    options.walAgeMs = [0, 1_000, 1e12][this.pick(3)]!;
    options.retentionCheckMs = [200, 1e12][this.pick(2)]!;
    this.retention = this.chance(0.2);
    if (this.retention) settings.retentionBytes = 1_000;
    this.room = await scene.until(scene.open());
    this.topicId = await scene.until(this.room.topic("orders", PARTITIONS));
    const maybe = (most: number) => this.chance(0.5) ? 0 : most * this.random() / 2 ** 32;
    Object.assign(faults, {
      latencyMaxMs: maybe(200),
      slowChance: maybe(0.05),
      slowMs: 3_000,
      failBeforeChance: maybe(0.3),
      throttleChance: maybe(0.1),
      failAfterChance: maybe(0.3),
      lateChance: maybe(0.1),
      duplicateChance: maybe(0.1),
      lateMs: 2_000,
    });
    for (let step = 0; step < STEPS; step++) {
      await this.step();
      if (this.failure !== undefined) throw this.failure;
    }
    Object.assign(faults, CALM);
    for (const zombie of this.zombies) zombie.crash();
    await scene.runtime.advance(10_000);
    if (this.opening !== undefined) await scene.until(this.opening);
    await this.compare();
    // once more from what is durable, and once more after everything was rewritten
    for (const rewritten of [false, true]) {
      if (rewritten) await scene.until(this.room.housekeeping.rewriteAll());
      this.room.crash();
      this.room = await scene.until(scene.open());
      await scene.until(this.room.sweepLeftovers());
      await this.compare();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  async step(): Promise<void> {
    const { scene } = this;
    const roll = this.pick(100);
    if (this.chance(0.1)) this.zombies.shift()?.crash();
    const room = this.zombies.length > 0 && this.chance(0.3) ? this.zombies.at(-1)! : this.room;
    await scene.runtime.advance(this.pick(60));
    if (this.opening !== undefined && room === this.room) return;
    if (roll < 5 && this.opening === undefined) this.replace(this.pick(3));
    else if (roll < 45) this.watch(this.produce(room, this.producers[this.pick(4)]!));
    else if (roll < 60) this.watch(this.appendPlain(room, this.pick(PARTITIONS)));
    else if (roll < 75) this.watch(this.read(room, this.pick(PARTITIONS)));
    else if (roll < 80) this.watch(this.deleteRecords(room, this.pick(PARTITIONS)));
    else if (roll < 90) {
      this.watch(this.with(room, this.pick(PARTITIONS), async (log) => {
        await rewriteTail(log, this.chance(0.7));
      }));
    } else if (roll < 95) this.watch(room.ledger.sweep());
    else this.watch(room.sweepLeftovers());
  }

  /** Kills the room, stops it, or leaves it behind alive, and opens the next one. */
  replace(way: number): void {
    const old = this.room;
    if (way === 0) old.crash();
    this.opening = (async () => {
      if (way === 1) await old.stop();
      const room = await this.scene.open();
      if (way === 2) this.zombies.push(old);
      this.room = room;
      this.opening = undefined;
    })();
    this.opening.catch((error) => this.failure ??= error);
  }

  /** What goes on beside the steps; store faults are no failure, anything else is. */
  watch(work: Promise<unknown>): void {
    work.catch((error) => {
      const expected = error?.name === "StoreError" || error?.name === "SegmentGoneError";
      if (!expected && error?.name !== "AbortError") this.failure ??= error;
    });
  }

  async with(
    room: Room,
    partition: number,
    work: (log: PartitionLogState, model: Partition) => Promise<void>,
  ): Promise<void> {
    const log = await room.logs.state(this.topicId, partition);
    if (typeof log !== "number") await work(log as PartitionLogState, this.model[partition]!);
  }

  newValues(): string[] {
    return Array.from({ length: 1 + this.pick(5) }, () => `value ${this.values++}`);
  }

  async appendPlain(room: Room, partition: number): Promise<void> {
    await this.with(room, partition, async (log, model) => {
      const values = this.newValues();
      const { errorCode, baseOffset, committed } = append(log, batchOf(values));
      if (errorCode === 0 && await committed === 0) this.acknowledged(model, baseOffset, values);
    });
  }

  acknowledged(model: Partition, baseOffset: number, values: string[]): void {
    values.forEach((value, index) => model.learn(baseOffset + index, value));
    model.acknowledgedEnd = Math.max(model.acknowledgedEnd, baseOffset + values.length);
  }

  async produce(room: Room, producer: Producer): Promise<void> {
    if (producer.waiting?.at === room) return;
    const values = producer.waiting?.values ?? this.newValues();
    const waiting = producer.waiting = { values, at: room };
    await this.with(room, producer.partition, async (log, model) => {
      const batch = batchOf(values, {
        producerId: producer.id,
        producerEpoch: 0,
        baseSequence: producer.sequence,
      });
      const { errorCode, baseOffset, committed } = append(log, batch);
      const replaced = await committed;
      if (producer.waiting !== waiting) return;
      const lost = errorCode === 6 || replaced === 6;
      // who was replaced and doesn't know it may not know the newest sequence either
      if (!lost && room === this.room && this.opening === undefined) {
        assertEquals([errorCode, replaced ?? 0], [0, 0], "an append was refused");
      }
      if (errorCode !== 0 || (replaced ?? 0) !== 0) return;
      this.acknowledged(model, baseOffset, values);
      producer.sequence += values.length;
      producer.waiting = undefined;
    });
  }

  async read(room: Room, partition: number): Promise<void> {
    await this.with(room, partition, async (log, model) => {
      const span = log.highWatermark - log.logStartOffset;
      if (span === 0) return;
      const offset = log.logStartOffset + this.pick(span);
      const { records } = await readFrom(log, offset, 1 + this.pick(1_000));
      records.forEach((record, index) => {
        assertEquals(record.offset, offset + index, "a read skips records");
        model.learn(record.offset, new TextDecoder().decode(record.value!));
      });
    });
  }

  async deleteRecords(room: Room, partition: number): Promise<void> {
    await this.with(room, partition, async (log, model) => {
      const wanted = this.pick(log.highWatermark + 1);
      model.logStartMax = Math.max(model.logStartMax, wanted);
      const { errorCode, logStartOffset } = await log.deleteRecords(wanted);
      // who was replaced makes it durable, but the successor meets it at its next manifest only
      if (errorCode === 0 && room === this.room) {
        model.logStartMin = Math.max(model.logStartMin, logStartOffset);
      }
    });
  }

  async compare(): Promise<void> {
    for (const [partition, model] of this.model.entries()) {
      const log = await this.scene.until(this.room.log(this.topicId, partition));
      const all = await this.scene.until(readAll(log));
      assert(log.highWatermark >= model.acknowledgedEnd, "acknowledged records are gone");
      assert(log.highWatermark >= model.highWatermark, "the high watermark went back");
      assert(log.logStartOffset >= model.logStartMin, "deleted records are back");
      const startMax = this.retention ? Infinity : model.logStartMax;
      assert(log.logStartOffset <= startMax, "records are gone that nobody deleted");
      model.highWatermark = log.highWatermark;
      model.logStartMin = log.logStartOffset;
      const expected = Array.from(
        { length: log.highWatermark - log.logStartOffset },
        (_, index) => log.logStartOffset + index,
      );
      assertEquals(all.map(([offset]) => offset), expected, "offsets are dense");
      assertEquals(new Set(all.map(([, value]) => value)).size, all.length, "a record is doubled");
      for (const [offset, value] of all) model.learn(offset, value);
      assertEquals(log.logEndOffset, log.highWatermark, "all is committed or was never there");
    }
  }
}

Deno.test("a log room keeps what it acknowledged, whatever crashes (seeded model)", async () => {
  const only = Deno.env.get("MODEL_SEED");
  const count = Number(Deno.env.get("MODEL_SEEDS") ?? 250);
  const seeds = only === undefined ? Array.from({ length: count }, (_, at) => at) : [Number(only)];
  for (const seed of seeds) {
    if (Deno.env.has("MODEL_TRACE")) console.log("seed", seed);
    const life = new Life(seed);
    try {
      await life.run();
    } catch (error) {
      for (const { level, message, fields } of life.scene.runtime.lines) {
        if (level === "error" && only !== undefined) console.log(message, fields);
      }
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      life.room?.crash();
    }
  }
});
