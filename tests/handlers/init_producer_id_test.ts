import { assertEquals } from "@std/assert";
import { initProducerIdHandler } from "../../core/handlers/22_init_producer_id.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { TopicRooms } from "./topic_rooms.ts";

Deno.test("initProducerIdHandler gives out a new id with epoch 0 in every version", async () => {
  await using rooms = await TopicRooms.start();
  const ids = new Set<number>();
  for (let version = 0; version <= 5; version++) {
    const answer = await rooms.call(initProducerIdHandler, { transactionalId: null }, version);
    assertEquals([answer.errorCode, answer.producerEpoch], [ErrorCode.NONE, 0]);
    ids.add(answer.producerId);
  }
  assertEquals(ids.size, 6);
});

Deno.test("initProducerIdHandler gives a new id to a producer that brings one", async () => {
  await using rooms = await TopicRooms.start();
  const first = await rooms.call(initProducerIdHandler, { transactionalId: null });
  const second = await rooms.call(initProducerIdHandler, {
    transactionalId: null,
    producerId: first.producerId,
    producerEpoch: 3,
  });
  assertEquals([second.errorCode, second.producerEpoch], [ErrorCode.NONE, 0]);
  assertEquals(second.producerId === first.producerId, false);
});

Deno.test("initProducerIdHandler refuses half an identity and an empty name", async () => {
  await using rooms = await TopicRooms.start();
  const wrong = [
    { transactionalId: null, producerId: 1, producerEpoch: -1 },
    { transactionalId: null, producerId: -1, producerEpoch: 1 },
    { transactionalId: null, producerId: -2, producerEpoch: 1 },
    { transactionalId: null, producerId: 1, producerEpoch: -2 },
    { transactionalId: "" },
  ];
  for (const request of wrong) {
    const answer = await rooms.call(initProducerIdHandler, request);
    assertEquals(
      [answer.errorCode, answer.producerId, answer.producerEpoch],
      [ErrorCode.INVALID_REQUEST, -1, -1],
    );
  }
});

Deno.test("initProducerIdHandler refuses transactions for good and logs why", async () => {
  await using rooms = await TopicRooms.start();
  for (const version of [0, 5]) {
    const answer = await rooms.call(initProducerIdHandler, { transactionalId: "tx" }, version);
    assertEquals(answer.errorCode, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assertEquals(answer.producerId, -1);
  }
  assertEquals(rooms.runtime.messages("warn").length, 2);
});

Deno.test("initProducerIdHandler answers a metadata outage so that producers retry", async () => {
  await using rooms = await TopicRooms.start();
  rooms.outage = "retry";
  const request = { transactionalId: null };
  const away = await rooms.call(initProducerIdHandler, request);
  assertEquals(away.errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  rooms.outage = "fatal";
  const broken = await rooms.call(initProducerIdHandler, request);
  assertEquals(broken.errorCode, ErrorCode.KAFKA_STORAGE_ERROR);
  rooms.outage = undefined;
  assertEquals((await rooms.call(initProducerIdHandler, request)).errorCode, ErrorCode.NONE);
  // a block is reserved now, so the store is not needed for the next ones
  rooms.outage = "retry";
  assertEquals((await rooms.call(initProducerIdHandler, request)).errorCode, ErrorCode.NONE);
});
