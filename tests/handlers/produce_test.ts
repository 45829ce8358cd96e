import { assertEquals } from "@std/assert";
import { Reader, Writer } from "../../core/bytes/mod.ts";
import { produceHandler } from "../../core/handlers/00_produce.ts";
import type { Rooms } from "../../core/handlers/mod.ts";
import type { LooseResponseOf } from "../../core/protocol/api.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { produce } from "../../core/protocol/messages/00_produce.ts";
import { batchOf, Scene } from "../log/scene.ts";
import { FakeContext } from "./fake_rooms.ts";

Deno.test("what comes behind a batch of a topic not heard of waits for that batch", async () => {
  const scene = new Scene();
  const room = await scene.open();
  const topicId = await room.topic("t");
  let heard = false;
  const rooms = {
    runtime: scene.runtime,
    logs: room.logs,
    topics: { byId: (id: string) => heard ? room.topics.byId(id) : undefined },
  } as Partial<Record<keyof Rooms, unknown>> as unknown as Rooms;
  const version = produce.maxVersion;
  const send = async (baseSequence: number) => {
    const records = batchOf(["x"], { producerId: 7, producerEpoch: 0, baseSequence });
    const writer = new Writer();
    const topicData = [{ topicId, partitionData: [{ index: 0, records }] }];
    produce.request.write(writer, { acks: -1, timeoutMs: 1_000, topicData }, version);
    const request = produce.request.read(new Reader(writer.toBytes()), version);
    const context = new FakeContext(version);
    const done = Promise.resolve(produceHandler.handle(rooms, context, request));
    const response = await scene.until(done) as LooseResponseOf<typeof produce>;
    return response.responses![0]!.partitionResponses![0]!.errorCode;
  };
  assertEquals(await send(0), ErrorCode.UNKNOWN_TOPIC_ID);
  heard = true;
  assertEquals(await send(1), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
  assertEquals([await send(0), await send(1)], [0, 0]);
  await room.stop();
});
