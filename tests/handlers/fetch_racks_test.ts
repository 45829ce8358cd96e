/** KIP-392: readers with a rack, at the leader and at a follower. */
import { assertEquals } from "@std/assert";
import { Reader, Writer } from "../../core/bytes/mod.ts";
import { fetchHandler } from "../../core/handlers/01_fetch.ts";
import { Referrals } from "../../core/handlers/fetch/referrals.ts";
import type { LooseResponseOf } from "../../core/protocol/api.ts";
import { ErrorCode } from "../../core/protocol/errors.ts";
import { fetch } from "../../core/protocol/messages/01_fetch.ts";
import { settle } from "../runtime/manual_runtime.ts";
import { FakeContext, FakeRooms, idOf } from "./fake_rooms.ts";

type Response = LooseResponseOf<typeof fetch>;

interface Asked {
  readonly rackId?: string;
  readonly fetchOffset: number;
  readonly version?: number;
  readonly maxWaitMs?: number;
  readonly currentLeaderEpoch?: number;
}

function start(rooms: FakeRooms, asked: Asked): { answer(): Partition | undefined } {
  const { version = fetch.maxVersion, rackId = "b", maxWaitMs = 500, ...partition } = asked;
  const writer = new Writer();
  fetch.request.write(writer, {
    minBytes: 1,
    maxWaitMs,
    maxBytes: 1 << 20,
    sessionEpoch: -1,
    rackId,
    topics: [{
      topic: "t",
      topicId: idOf("t"),
      partitions: [{ partition: 0, partitionMaxBytes: 1 << 20, ...partition }],
    }],
  }, version);
  const request = fetch.request.read(new Reader(writer.toBytes()), version);
  let response: Response | undefined;
  const context = new FakeContext(version);
  Promise.resolve(fetchHandler.handle(rooms.rooms, context, request)).then((done) => {
    response = done;
    context.sent();
  });
  return { answer: () => response && partitionOf(response) };
}

interface Partition {
  readonly errorCode: number;
  readonly replica: number;
  readonly bytes: number;
}

function partitionOf(response: Response): Partition {
  const { errorCode, preferredReadReplica, records } = response.responses![0]!.partitions![0]!;
  const bytes = records!.reduce((sum, part) => sum + part.length, 0);
  return { errorCode: errorCode!, replica: preferredReadReplica!, bytes };
}

async function ask(rooms: FakeRooms, asked: Asked): Promise<Partition | undefined> {
  const pending = start(rooms, asked);
  await settle();
  return pending.answer();
}

function leading(): FakeRooms {
  const rooms = new FakeRooms({ t: 1 });
  rooms.readReplicas.set("b", 2);
  rooms.log("t").put(100);
  return rooms;
}

const HERE = { errorCode: 0, replica: -1, bytes: 100 };
const THERE = { errorCode: 0, replica: 2, bytes: 0 };

Deno.test("the leader sends a reader with a rack to the broker there, at once", async () => {
  assertEquals(await ask(leading(), { fetchOffset: 0 }), THERE);
  assertEquals(await ask(leading(), { fetchOffset: 1 }), THERE, "at the log's end");
  assertEquals(await ask(leading(), { fetchOffset: 0, rackId: "" }), HERE);
  assertEquals(await ask(leading(), { fetchOffset: 0, rackId: "elsewhere" }), HERE);
  const old = await ask(leading(), { fetchOffset: 0, version: 10 });
  assertEquals([old?.errorCode, old?.bytes], [0, 100]);
  const beyond = await ask(leading(), { fetchOffset: 2 });
  assertEquals(beyond, { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, replica: -1, bytes: 0 });
});

Deno.test("a reader that comes back from its rack's broker is served by the leader", async () => {
  const rooms = leading();
  assertEquals(await ask(rooms, { fetchOffset: 0 }), THERE);
  assertEquals(await ask(rooms, { fetchOffset: 0 }), THERE, "it may be another one");
  assertEquals(await ask(rooms, { fetchOffset: 0 }), HERE);
  rooms.log("t").put(100);
  assertEquals(await ask(rooms, { fetchOffset: 1 }), HERE, "it stays for a while");
  await rooms.runtime.advance(61_000);
  assertEquals(await ask(rooms, { fetchOffset: 1 }), THERE);
});

Deno.test("referrals that are remembered are bounded", () => {
  let nowMs = 0;
  const referrals = new Referrals({ monotonicMs: () => nowMs, wallMs: () => 0 }, 2);
  for (const reader of ["a", "b", "c"]) assertEquals(referrals.refer(reader, 0), true);
  const three = (reader: string) => [1, 2, 3].map(() => referrals.refer(reader, 0));
  assertEquals(three("a"), [true, true, false], "forgotten, then remembered");
  assertEquals(referrals.refer("c", 0), true);
  nowMs = 31_000;
  assertEquals(referrals.refer("c", 0), true, "back after long: its lease ran out");
  assertEquals(referrals.stats, { sent: 7, kept: 1 });
});

Deno.test("a follower serves readers with a rack, and nobody else", async () => {
  const rooms = leading();
  rooms.follow("t");
  assertEquals(await ask(rooms, { fetchOffset: 0 }), HERE);
  const refused = { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, replica: -1, bytes: 0 };
  assertEquals(await ask(rooms, { fetchOffset: 0, rackId: "" }), refused);
  assertEquals((await ask(rooms, { fetchOffset: 0, version: 10 }))?.errorCode, refused.errorCode);
});

Deno.test("a follower fences readers by the leader epoch that it knows", async () => {
  const rooms = leading();
  rooms.follow("t").leaderEpoch = 3;
  const code = async (currentLeaderEpoch: number) =>
    (await ask(rooms, { fetchOffset: 0, currentLeaderEpoch }))?.errorCode;
  assertEquals(await code(2), ErrorCode.FENCED_LEADER_EPOCH);
  assertEquals(await code(3), ErrorCode.NONE);
  assertEquals(await code(4), ErrorCode.UNKNOWN_LEADER_EPOCH);
});

Deno.test("a follower waits for a position that it has not seen, for a while", async () => {
  const rooms = leading();
  const log = rooms.follow("t");
  const served = start(rooms, { fetchOffset: 2 });
  await settle();
  assertEquals(served.answer(), undefined);
  log.put(100);
  log.put(100);
  await settle();
  assertEquals(served.answer(), HERE);
  const late = start(rooms, { fetchOffset: 4 });
  await settle();
  assertEquals(late.answer(), undefined);
  await rooms.runtime.advance(500);
  await settle();
  await rooms.runtime.advance(500);
  await settle();
  const expected = { errorCode: ErrorCode.OFFSET_NOT_AVAILABLE, replica: -1, bytes: 0 };
  assertEquals(late.answer(), expected);
  log.logStartOffset = 1;
  const before = await ask(rooms, { fetchOffset: 0 });
  assertEquals(before?.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});

Deno.test("the leader takes a position that a follower has shown earlier", async () => {
  const rooms = new FakeRooms({ t: 1 });
  const log = rooms.log("t");
  log.put(100);
  log.uncommitted = 1;
  const waiting = start(rooms, { fetchOffset: 2 });
  await settle();
  assertEquals(waiting.answer(), undefined);
  log.uncommitted = 0;
  log.put(100);
  log.put(100);
  await settle();
  assertEquals(waiting.answer(), HERE);
  assertEquals((await ask(rooms, { fetchOffset: 4 }))?.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE);
});
