import { assertEquals } from "@std/assert";
import { RefusedSequences } from "../../core/log/refused_sequences.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { append, batchOf, Scene } from "./scene.ts";

const producer = (baseSequence: number, producerEpoch = 0, producerId = 7) => ({
  producerId,
  producerEpoch,
  baseSequence,
});
const batch = (baseSequence: number, producerEpoch = 0) =>
  batchOf(["x"], producer(baseSequence, producerEpoch));

Deno.test("RefusedSequences keeps later batches out until the refused one has come", () => {
  const refused = new RefusedSequences(manualRuntime().clock, 10);
  refused.note("t", 0, batch(0));
  refused.note("t", 0, batch(1));
  const admits = (at: number) => refused.admits("t", 0, producer(at), false);
  assertEquals([admits(1), admits(2), admits(0), admits(1)], [false, false, true, true]);
  assertEquals(refused.size, 0);
});

Deno.test("RefusedSequences lets a batch before the noted one in, or notes it instead", () => {
  const refused = new RefusedSequences(manualRuntime().clock, 10);
  refused.note("t", 0, batch(7));
  assertEquals(refused.admits("t", 0, producer(2), false), true, "it comes before");
  assertEquals(refused.size, 0);
  refused.note("t", 0, batch(7));
  refused.note("t", 0, batch(2));
  assertEquals(refused.admits("t", 0, producer(7), false), false, "the second one has to come");
  assertEquals(refused.admits("t", 0, producer(2), false), true);
  const last = 2 ** 31 - 1;
  refused.note("t", 0, batch(1));
  refused.note("t", 0, batch(last));
  assertEquals(refused.admits("t", 0, producer(1), false), false, "sequences wrap");
  assertEquals(refused.admits("t", 0, producer(last), false), true);
});

Deno.test("RefusedSequences tells partitions, producers and epochs apart", () => {
  const refused = new RefusedSequences(manualRuntime().clock, 10);
  refused.note("t", 0, batch(4));
  assertEquals(refused.admits("t", 1, producer(5), false), true);
  assertEquals(refused.admits("u", 0, producer(5), false), true);
  assertEquals(refused.admits("t", 0, producer(5, 0, 8), false), true);
  assertEquals(refused.admits("t", 0, producer(5), false), false);
  assertEquals(refused.admits("t", 0, producer(0, 1), false), true, "a new epoch starts anew");
  assertEquals(refused.size, 0);
});

Deno.test("RefusedSequences gives way to what the partition knows", () => {
  const refused = new RefusedSequences(manualRuntime().clock, 10);
  refused.note("t", 0, batch(4));
  assertEquals(refused.admits("t", 0, producer(9), true), true);
  assertEquals(refused.size, 0);
});

Deno.test("RefusedSequences notes only batches with a sequence", () => {
  const refused = new RefusedSequences(manualRuntime().clock, 10);
  refused.note("t", 0, null);
  refused.note("t", 0, new Uint8Array(20));
  refused.note("t", 0, batchOf(["x"]));
  assertEquals(refused.size, 0);
});

Deno.test("RefusedSequences forgets the oldest at its bound, and all in time", async () => {
  const runtime = manualRuntime();
  const refused = new RefusedSequences(runtime.clock, 3);
  for (let partition = 0; partition < 6; partition++) refused.note("t", partition, batch(0));
  assertEquals(refused.admits("t", 0, producer(5), false), true);
  assertEquals(refused.admits("t", 5, producer(5), false), false);
  await runtime.advance(301_000);
  assertEquals(refused.admits("t", 5, producer(5), false), true);
  assertEquals(refused.size, 0);
});

Deno.test("a batch pipelined behind a refused one is out of order on a new partition", async () => {
  const room = await new Scene().open();
  const topicId = await room.topic("t");
  room.logs.noteRefused(topicId, 0, batch(0));
  const log = await room.log(topicId);
  const codes = [1, 0, 1].map((sequence) => append(log, batch(sequence)).errorCode);
  assertEquals(codes, [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 0, 0]);
  await room.stop();
});

Deno.test("append() notes what a leaving leader refuses, like what comes behind", async () => {
  const scene = new Scene();
  const room = await scene.open();
  const log = await room.log(await room.topic("t"), 0);
  log.leaving = true;
  assertEquals(append(log, batch(0)).errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  room.logs.noteRefused(log.topicId, 0, batch(1));
  log.leaving = false;
  assertEquals(append(log, batch(1)).errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  assertEquals(append(log, batch(0)).errorCode, ErrorCode.NONE);
  assertEquals(append(log, batch(1)).errorCode, ErrorCode.NONE);
  room.crash();
});
