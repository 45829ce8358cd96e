import { assert, assertEquals } from "@std/assert";
import {
  type FetchAsk,
  type FetchOutcome,
  type FetchPlan,
  FetchSessions,
} from "../../core/handlers/fetch/sessions.ts";
import { ErrorCode, type ErrorCodeValue } from "../../core/protocol/errors.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";
import { MemoryNetwork } from "../server/memory_network.ts";

const BY_NAME = 12;
const BY_ID = 13;

interface Asked {
  readonly id?: number;
  readonly epoch?: number;
  /** `topic:partition@offset` */
  readonly fetch?: readonly string[];
  /** `topic:partition` */
  readonly forget?: readonly string[];
}

function ask({ id = 0, epoch = 0, fetch = [], forget = [] }: Asked): FetchAsk {
  const parse = (text: string) => {
    const [topic, rest] = text.split(":") as [string, string];
    const [partition, offset] = rest.split("@") as [string, string | undefined];
    return { topic, partition: Number(partition), offset: Number(offset ?? 0) };
  };
  return {
    sessionId: id,
    sessionEpoch: epoch,
    topics: fetch.map(parse).map(({ topic, partition, offset }) => ({
      topic,
      topicId: topic,
      partitions: [{
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: offset,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 1000,
      }],
    })),
    forgottenTopicsData: forget.map(parse).map(({ topic, partition }) => ({
      topic,
      topicId: topic,
      partitions: [partition],
    })),
  };
}

const QUIET: FetchOutcome = {
  errorCode: 0,
  bytes: 0,
  diverging: false,
  referred: false,
  highWatermark: 5,
  lastStableOffset: 5,
  logStartOffset: 0,
};

function sessions(capacity = 10, partitionsMax = 1000) {
  const runtime = manualRuntime(1, new MemoryNetwork());
  return { runtime, cache: new FetchSessions(runtime, capacity, partitionsMax) };
}

function plan(cache: FetchSessions, asked: Asked, version = BY_NAME): FetchPlan {
  const planned = cache.plan(ask(asked), version);
  assert(typeof planned !== "number", `refused with ${planned}`);
  return planned;
}

const named = (planned: FetchPlan) =>
  planned.targets.map((t) => `${t.topicKey}:${t.partition}@${t.fetchOffset}`);

/** Makes a session that fetches `fetch`; returns its id. */
function open(cache: FetchSessions, fetch: readonly string[], version = BY_NAME): number {
  const planned = plan(cache, { fetch }, version);
  return planned.conclude(planned.targets.map(() => QUIET)).sessionId;
}

Deno.test("FetchSessions makes a session for epoch 0 and none for epoch -1", () => {
  const { cache } = sessions();
  const full = plan(cache, { fetch: ["a:0", "a:1"] });
  assertEquals(cache.size, 0, "the session starts with its response");
  const made = full.conclude([QUIET, QUIET]);
  assert(made.sessionId > 0);
  assertEquals(made.named, undefined, "a full response names everything");
  assertEquals([cache.size, cache.partitions], [1, 2]);
  const once = plan(cache, { epoch: -1, fetch: ["a:0"] });
  assertEquals(once.conclude([QUIET]).sessionId, 0);
  assertEquals(cache.size, 1);
  assertEquals(plan(cache, {}).conclude([]).sessionId, 0, "nothing to fetch, nothing to remember");
});

Deno.test("FetchSessions refuses unknown ids, wrong epochs and changed topic naming", () => {
  const { cache } = sessions();
  const id = open(cache, ["a:0"]);
  const cases: readonly (readonly [Asked, number, ErrorCodeValue])[] = [
    [{ id: id + 1, epoch: 1 }, BY_NAME, ErrorCode.FETCH_SESSION_ID_NOT_FOUND],
    [{ id: 0, epoch: 1 }, BY_NAME, ErrorCode.FETCH_SESSION_ID_NOT_FOUND],
    [{ id, epoch: 2 }, BY_NAME, ErrorCode.INVALID_FETCH_SESSION_EPOCH],
    [{ id, epoch: -2 }, BY_NAME, ErrorCode.INVALID_FETCH_SESSION_EPOCH],
    [{ id, epoch: 1 }, BY_ID, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR],
  ];
  for (const [asked, version, code] of cases) assertEquals(cache.plan(ask(asked), version), code);
  assertEquals(named(plan(cache, { id, epoch: 1 })), ["a:0@0"], "refusals change nothing");
  assertEquals(cache.plan(ask({ id, epoch: 1 }), BY_NAME), ErrorCode.INVALID_FETCH_SESSION_EPOCH);
  assertEquals(named(plan(cache, { id, epoch: 2 })), ["a:0@0"]);
});

Deno.test("FetchSessions closes the session of a full fetch that names one", () => {
  const { cache } = sessions();
  for (const epoch of [0, -1]) {
    const id = open(cache, ["a:0"]);
    assertEquals(cache.size, 1);
    plan(cache, { id, epoch, fetch: ["b:0"] });
    assertEquals([cache.size, cache.partitions], [0, 0]);
    assertEquals(
      cache.plan(ask({ id, epoch: 1 }), BY_NAME),
      ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
    );
  }
});

Deno.test("FetchSessions adds, changes and forgets partitions", () => {
  const { cache } = sessions();
  const id = open(cache, ["a:0", "a:1", "b:0"], BY_ID);
  const next = plan(
    cache,
    { id, epoch: 1, fetch: ["a:1@7", "c:2@9"], forget: ["b:0", "x:1"] },
    BY_ID,
  );
  assertEquals(named(next), ["a:0@0", "a:1@7", "c:2@9"]);
  assertEquals(cache.partitions, 3);
  const last = plan(cache, { id, epoch: 2, forget: ["a:0", "a:1", "c:2"] }, BY_ID);
  assertEquals(named(last), []);
  assertEquals([cache.size, cache.partitions], [0, 0], "an empty session is no session");
});

Deno.test("FetchSessions names in an incremental response only what changed", () => {
  const { cache } = sessions();
  const id = open(cache, ["a:0"]);
  const cases: readonly (readonly [string, Partial<FetchOutcome>, boolean])[] = [
    ["nothing new", {}, false],
    ["records", { bytes: 10, highWatermark: 5 }, true],
    ["high watermark", { highWatermark: 6 }, true],
    ["the same again", { highWatermark: 6 }, false],
    ["last stable offset", { highWatermark: 6, lastStableOffset: 6 }, true],
    ["log start offset", { highWatermark: 6, lastStableOffset: 6, logStartOffset: 2 }, true],
    ["an error", { errorCode: 3, highWatermark: -1, lastStableOffset: -1 }, true],
    ["the error again", { errorCode: 3, highWatermark: -1, lastStableOffset: -1 }, true],
    ["after the error", { highWatermark: 6 }, true],
    ["quiet again", { highWatermark: 6 }, false],
    ["diverging epoch", { highWatermark: 6, diverging: true }, true],
  ];
  cases.forEach(([name, change, expected], index) => {
    const planned = plan(cache, { id, epoch: index + 1 });
    const concluded = planned.conclude([{ ...QUIET, ...change }]);
    assertEquals(concluded, { errorCode: 0, sessionId: id, named: [expected] }, name);
  });
});

Deno.test("FetchSessions moves partitions that had data to the end of the order", () => {
  const { cache } = sessions();
  const id = open(cache, ["a:0", "a:1", "a:2"]);
  const orders: string[][] = [];
  for (let epoch = 1; epoch <= 4; epoch++) {
    const planned = plan(cache, { id, epoch });
    orders.push(planned.targets.map((target) => String(target.partition)));
    planned.conclude(planned.targets.map((_, at) => ({ ...QUIET, bytes: at === 0 ? 100 : 0 })));
  }
  assertEquals(orders, [["0", "1", "2"], ["1", "2", "0"], ["2", "0", "1"], ["0", "1", "2"]]);
});

Deno.test("FetchSessions answers an overtaken fetch of a session with an epoch error", () => {
  const { cache } = sessions();
  const id = open(cache, ["a:0"]);
  const first = plan(cache, { id, epoch: 1 });
  const second = plan(cache, { id, epoch: 2 });
  assertEquals(first.conclude([QUIET]).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH);
  assertEquals(second.conclude([QUIET]).errorCode, 0);
  const third = plan(cache, { id, epoch: 3 });
  plan(cache, { id, epoch: -1 });
  assertEquals(third.conclude([QUIET]).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH);
});

Deno.test("FetchSessions evicts at capacity only what is idle, or old and smaller", async () => {
  const { cache, runtime } = sessions(2);
  const small = open(cache, ["a:0"]);
  const large = open(cache, ["a:0", "a:1", "a:2"]);
  assertEquals(open(cache, ["a:0", "a:1"]), 0, "both are fresh");
  await runtime.advance(121_000);
  plan(cache, { id: small, epoch: 1 });
  plan(cache, { id: large, epoch: 1 });
  assertEquals(open(cache, ["a:0"]), 0, "not larger than the smallest");
  const larger = open(cache, ["a:0", "a:1"]);
  assert(larger > 0);
  assertEquals(cache.plan(ask({ id: small, epoch: 2 }), BY_NAME), 70);
  assertEquals(named(plan(cache, { id: large, epoch: 2 })).length, 3);
  await runtime.advance(121_000);
  assert(open(cache, ["a:0"]) > 0, "idle sessions go first, whatever their size");
  assertEquals(cache.plan(ask({ id: larger, epoch: 1 }), BY_NAME), 70);
  assertEquals(cache.size, 2);
});

Deno.test("FetchSessions bounds the partitions of all sessions together", () => {
  const { cache } = sessions(10, 4);
  const id = open(cache, ["a:0", "a:1", "a:2"]);
  assertEquals(open(cache, ["b:0", "b:1"]), 0);
  assert(open(cache, ["b:0"]) > 0);
  assertEquals(cache.plan(ask({ id, epoch: 1, fetch: ["c:0"] }), BY_NAME), 70);
  assertEquals(cache.partitions, 1);
});

Deno.test("FetchSessions makes none at capacity 0, and counts a repeated partition once", () => {
  const { cache } = sessions(0);
  assertEquals(open(cache, ["a:0"]), 0);
  assertEquals(named(plan(cache, { fetch: ["a:0@1", "a:0@2"] })), ["a:0@2"]);
});
