import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../core/bytes/mod.ts";
import type { RequestContext } from "../../core/handlers/mod.ts";
import { type Deferred, deferred } from "../../core/runtime/mod.ts";
import {
  CONNECTION_READ_BYTES,
  FRAME_STALL_MS,
  REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX,
  RESPONSE_BYTES_QUEUED_MAX,
  WRITE_STALL_MS,
} from "../../core/config/limits.ts";
import {
  type Echo,
  echo,
  echoHandler,
  type EchoReply,
  EchoServer,
  frame,
  HOLDING,
  nextAnswer,
  pattern,
  PIPELINED,
} from "./echo_server.ts";
import { settle } from "../runtime/manual_runtime.ts";

/** Requests that a test answers by hand, in any order. */
class Held {
  readonly started: { context: RequestContext; request: Echo; payload: Uint8Array }[] = [];
  readonly answers: Deferred<EchoReply | undefined>[] = [];

  constructor(readonly releases: boolean) {}

  readonly handle = (context: RequestContext, request: Echo) => {
    this.started.push({ context, request, payload: request.payload.slice() });
    const answer = deferred<EchoReply | undefined>();
    this.answers.push(answer);
    if (this.releases) context.release();
    return answer.promise;
  };
}

async function started(
  server: EchoServer,
): Promise<void> {
  await server.server.start();
}

Deno.test("ServerConnection answers pipelined requests in request order", async () => {
  const held = new Held(true);
  const echoes = new EchoServer([echoHandler(PIPELINED, held.handle)]);
  await started(echoes);
  const client = echoes.network.connect();
  for (let id = 0; id < 4; id++) await client.writeAll(frame(PIPELINED, id, pattern(10, id)));
  await settle();
  assertEquals(held.started.map(({ context }) => context.correlationId), [0, 1, 2, 3]);
  for (const id of [2, 0, 3, 1]) held.answers[id]!.resolve({ parts: [pattern(3, id)] });
  for (let id = 0; id < 4; id++) {
    assertEquals(await nextAnswer(client), { correlationId: id, body: pattern(3, id) });
  }
  client.close();
  await echoes.server.close();
});

Deno.test("ServerConnection holds the line until a request is answered or released", async () => {
  const held = new Held(false);
  const echoes = new EchoServer([echoHandler(HOLDING, held.handle)]);
  await started(echoes);
  const client = echoes.network.connect();
  await client.writeAll(concat([1, 2, 3].map((id) => frame(HOLDING, id, pattern(100, id)))));
  await settle();
  assertEquals(held.started.length, 1);
  held.started[0]!.context.release();
  await settle();
  assertEquals(held.started.length, 2, "release lets the next request start");
  held.answers[0]!.resolve({ parts: [] });
  await settle();
  assertEquals(held.started.length, 2);
  held.answers[1]!.resolve({ parts: [] });
  await settle();
  assertEquals(held.started.length, 3, "so does the answer");
  held.answers[2]!.resolve({ parts: [] });
  assertEquals((await nextAnswer(client))?.correlationId, 1);
  assertEquals((await nextAnswer(client))?.correlationId, 2);
  assertEquals((await nextAnswer(client))?.correlationId, 3);
  client.close();
  await echoes.server.close();
});

for (const size of [40, CONNECTION_READ_BYTES - 30, 100_000, 1_500_000]) {
  Deno.test(`ServerConnection keeps a frame of ${size} bytes until it is released`, async () => {
    const held = new Held(false);
    const echoes = new EchoServer([echoHandler(HOLDING, held.handle)]);
    await started(echoes);
    const client = echoes.network.connect();
    await client.writeAll(frame(HOLDING, 0, pattern(size, 0)));
    await settle();
    // what follows is read ahead, and must not touch the frame that is held
    void client.writeAll(frame(HOLDING, 1, pattern(size, 1))).catch(() => {});
    for (let turn = 0; turn < 20; turn++) await settle();
    assertEquals(held.started.length, 1);
    assertEquals(held.started[0]!.request.payload, pattern(size, 0));
    held.answers[0]!.resolve({ parts: [] });
    await nextAnswer(client);
    for (let turn = 0; turn < 20 && held.started.length < 2; turn++) await settle();
    assertEquals(held.started[1]!.payload, pattern(size, 1));
    held.answers[1]!.resolve({ parts: [] });
    await nextAnswer(client);
    assertEquals(echoes.server.inflightBytes(), 0);
    client.close();
    await echoes.server.close();
  });
}

Deno.test("ServerConnection reads frames that arrive split at every byte", async () => {
  const echoes = new EchoServer([echoHandler(PIPELINED, (_context, request) => echo(request))]);
  await started(echoes);
  const bytes = concat([frame(PIPELINED, 1, pattern(20, 1)), frame(PIPELINED, 2, pattern(9, 2))]);
  for (let cut = 1; cut < bytes.length; cut++) {
    const client = echoes.network.connect();
    await client.writeAll(bytes.subarray(0, cut));
    await settle();
    await client.writeAll(bytes.subarray(cut));
    assertEquals(await nextAnswer(client), { correlationId: 1, body: pattern(20, 1) });
    assertEquals(await nextAnswer(client), { correlationId: 2, body: pattern(9, 2) });
    client.close();
  }
  await echoes.server.close();
});

for (const [readMax, writeMax] of [[1, 1], [7, 3], [1000, 777], [65_536, 5000]] as const) {
  Deno.test(
    `ServerConnection works with reads of ${readMax} and writes of ${writeMax} bytes`,
    async () => {
      const big = readMax === 1 ? 20_000 : 200_000;
      const sizes = [0, 1, 16_340, 16_360, 16_370, 16_380, 16_384, big, 5, big + 1, 3];
      const echoes = new EchoServer([
        echoHandler(PIPELINED, (context, request) => {
          const copy = request.payload.slice();
          context.release();
          const half = copy.length >> 1;
          return Promise.resolve({ parts: [copy.subarray(0, half), copy.subarray(half)] });
        }),
      ]);
      await started(echoes);
      const client = echoes.network.connect({ capacity: 100_000, readMax, writeMax });
      const sending = client.writeAll(
        concat(sizes.map((size, id) => frame(PIPELINED, id, pattern(size, id)))),
      );
      for (const [id, size] of sizes.entries()) {
        const answer = await nextAnswer(client);
        assertEquals(answer?.correlationId, id);
        assertEquals(answer?.body, pattern(size, id));
      }
      await sending;
      client.close();
      await echoes.server.close();
      assertEquals(echoes.server.inflightBytes(), 0);
      assertEquals(echoes.fatal, []);
    },
  );
}

for (
  const [name, size] of [
    ["a negative size", -1],
    ["size 0", 0],
    ["a size below a header", 7],
    ["a size above the limit", 4 * 1024 * 1024 + 1],
    ["HTTP", 0x47455420],
  ] as const
) {
  Deno.test(`ServerConnection closes on ${name} with one log line`, async () => {
    const echoes = new EchoServer([echoHandler(PIPELINED, (_context, request) => echo(request))]);
    await started(echoes);
    const client = echoes.network.connect();
    const bytes = new Uint8Array(100);
    new DataView(bytes.buffer).setInt32(0, size);
    await client.writeAll(bytes);
    assertEquals(await nextAnswer(client), undefined);
    assertEquals(echoes.runtime.messages("warn").length, 1);
    assertEquals(echoes.server.inflightBytes(), 0);
    assertEquals(echoes.server.connections().length, 0);
    assertEquals(echoes.fatal, []);
    await echoes.server.close();
  });
}

Deno.test("ServerConnection writes refusals to the log at a bounded rate", async () => {
  const echoes = new EchoServer([]);
  await started(echoes);
  for (let index = 0; index < 50; index++) {
    const client = echoes.network.connect();
    await client.writeAll(new Uint8Array(4));
    assertEquals(await nextAnswer(client), undefined);
  }
  assertEquals(echoes.runtime.messages("warn").length, 1);
  await echoes.runtime.advance(10_000);
  const client = echoes.network.connect();
  await client.writeAll(new Uint8Array(4));
  assertEquals(await nextAnswer(client), undefined);
  assertEquals(echoes.runtime.lines.at(-1)?.fields?.suppressed, 49);
  await echoes.server.close();
});

Deno.test("ServerConnection waits for the budget before it reads a large frame", async () => {
  const held = new Held(false);
  const echoes = new EchoServer([echoHandler(HOLDING, held.handle)], {
    inflightBytes: 1_500_000,
  });
  await started(echoes);
  const clients = [0, 1, 2].map(() => echoes.network.connect());
  clients.forEach((client, id) => {
    void client.writeAll(frame(HOLDING, id, pattern(900_000, id))).catch(() => {});
  });
  for (let turn = 0; turn < 20; turn++) await settle();
  assertEquals(held.started.length, 1, "the second frame doesn't fit the budget");
  assert(echoes.server.inflightBytes() <= 1_500_000);
  for (let id = 0; id < 3; id++) {
    for (let turn = 0; turn < 50 && held.started.length <= id; turn++) await settle();
    assertEquals(held.started.length, id + 1);
    assertEquals(held.started[id]!.payload, pattern(900_000, id));
    held.answers[id]!.resolve({ parts: [] });
    assertEquals((await nextAnswer(clients[id]!))?.correlationId, id);
  }
  assertEquals(echoes.server.inflightBytes(), 0);
  for (const client of clients) client.close();
  await echoes.server.close();
});

Deno.test("ServerConnection keeps no large frame that nothing views", async () => {
  const held = new Held(false);
  const { api, handle } = echoHandler(HOLDING, held.handle);
  const echoes = new EchoServer([{ api, handle }]);
  await started(echoes);
  const client = echoes.network.connect();
  await client.writeAll(frame(HOLDING, 0, pattern(900_000)));
  await client.writeAll(frame(HOLDING, 1, pattern(10)));
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(held.started.length, 1, "it holds the line all the same");
  assertEquals(echoes.server.inflightBytes(), 0);
  held.answers[0]!.resolve({ parts: [] });
  assertEquals((await nextAnswer(client))?.correlationId, 0);
  await settle();
  held.answers[1]!.resolve({ parts: [] });
  assertEquals((await nextAnswer(client))?.correlationId, 1);
  client.close();
  await echoes.server.close();
});

Deno.test("ServerConnection gives reserved bytes back when the client goes away", async () => {
  const echoes = new EchoServer([echoHandler(PIPELINED, (_context, request) => echo(request))]);
  await started(echoes);
  const client = echoes.network.connect();
  await client.writeAll(frame(PIPELINED, 1, pattern(900_000)).subarray(0, 500_000));
  for (let turn = 0; turn < 20; turn++) await settle();
  assert(echoes.server.inflightBytes() > 900_000);
  client.close();
  await settle();
  assertEquals(echoes.server.inflightBytes(), 0);
  assertEquals(echoes.server.connections().length, 0);
  await echoes.server.close();
});

Deno.test("ServerConnection starts no more than the limit of unanswered requests", async () => {
  const held = new Held(true);
  const echoes = new EchoServer([echoHandler(PIPELINED, held.handle)]);
  await started(echoes);
  const client = echoes.network.connect();
  const count = REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX + 10;
  for (let id = 0; id < count; id++) await client.writeAll(frame(PIPELINED, id, pattern(1)));
  await settle();
  assertEquals(held.started.length, REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX);
  held.answers[0]!.resolve({ parts: [] });
  await settle();
  assertEquals(held.started.length, REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX + 1);
  for (let id = 0; id < count; id++) {
    for (let turn = 0; turn < 20 && held.answers.length <= id; turn++) await settle();
    held.answers[id]!.resolve({ parts: [] });
    assertEquals((await nextAnswer(client))?.correlationId, id);
  }
  client.close();
  await echoes.server.close();
});

Deno.test("ServerConnection queues bounded bytes for a client that takes nothing", async () => {
  const replyBytes = 300_000;
  let sent = 0;
  let asked = 0;
  const echoes = new EchoServer([
    echoHandler(HOLDING, (context) => {
      asked++;
      context.onSent(() => sent++);
      return { parts: [pattern(replyBytes)] };
    }),
  ]);
  await started(echoes);
  const client = echoes.network.connect({ capacity: 10_000, readMax: 10_000, writeMax: 10_000 });
  const requests = concat(Array.from({ length: 50 }, (_, id) => frame(HOLDING, id, pattern(1))));
  void client.writeAll(requests).catch(() => {});
  for (let turn = 0; turn < 20; turn++) await settle();
  const [view] = echoes.server.connections();
  assert(view!.queuedBytes <= RESPONSE_BYTES_QUEUED_MAX + replyBytes + 100);
  assert(asked < 10, "further requests wait");
  await echoes.runtime.advance(WRITE_STALL_MS + 10_000);
  assertEquals(echoes.server.connections().length, 0, "a stalled client is disconnected");
  assertEquals(echoes.runtime.messages("warn").length, 1);
  assertEquals(sent, asked, "every onSent ran");
  await echoes.server.close();
});

Deno.test("onSent callbacks run once each, written or not", async () => {
  const held = new Held(true);
  const echoes = new EchoServer([echoHandler(PIPELINED, held.handle)]);
  await started(echoes);
  const client = echoes.network.connect();
  for (let id = 0; id < 3; id++) await client.writeAll(frame(PIPELINED, id, pattern(1)));
  await settle();
  const runs = [0, 0, 0];
  held.started.forEach(({ context }, id) => {
    context.onSent(() => runs[id]!++);
    context.onSent(() => runs[id]!++);
    context.onSent(() => runs[id]!++);
  });
  held.answers[0]!.resolve({ parts: [pattern(5)] });
  await nextAnswer(client);
  await settle();
  assertEquals(runs, [3, 0, 0]);
  client.close();
  await settle();
  assertEquals(runs, [3, 0, 0], "a handler at work still uses its buffers");
  held.answers[2]!.reject(new Error("too late"));
  held.answers[1]!.resolve({ parts: [pattern(5)] });
  await settle();
  assertEquals(runs, [3, 3, 3]);
  await echoes.server.close();
});

Deno.test("ServerConnection aborts the signal when the client leaves", async () => {
  const held = new Held(false);
  const echoes = new EchoServer([echoHandler(HOLDING, held.handle)]);
  await started(echoes);
  for (const size of [10, 100_000]) {
    const client = echoes.network.connect();
    await client.writeAll(frame(HOLDING, 1, pattern(size)));
    for (let turn = 0; turn < 10; turn++) await settle();
    const { context } = held.started.at(-1)!;
    assert(!context.signal.aborted);
    client.close();
    await settle();
    assert(context.signal.aborted);
    held.answers.at(-1)!.resolve(undefined);
    await settle();
  }
  assertEquals(echoes.server.connections().length, 0);
  assertEquals(echoes.server.inflightBytes(), 0);
  await echoes.server.close();
});

Deno.test("ServerConnection serves what was sent before the end of the stream", async () => {
  let served = 0;
  const echoes = new EchoServer([
    echoHandler(PIPELINED, (context) => {
      served++;
      context.release();
      return Promise.resolve(undefined);
    }),
  ]);
  await started(echoes);
  const client = echoes.network.connect();
  for (let id = 0; id < 20; id++) await client.writeAll(frame(PIPELINED, id, pattern(2000)));
  client.close();
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(served, 20);
  await echoes.server.close();
});

Deno.test("ServerConnection closes idle connections, but not busy ones", async () => {
  const held = new Held(false);
  const echoes = new EchoServer([echoHandler(HOLDING, held.handle)], {
    connectionsMaxIdleMs: 20_000,
  });
  await started(echoes);
  const idle = echoes.network.connect();
  const busy = echoes.network.connect();
  await busy.writeAll(frame(HOLDING, 1, pattern(1)));
  await settle();
  await echoes.runtime.advance(60_000);
  assertEquals(await nextAnswer(idle), undefined);
  held.answers[0]!.resolve({ parts: [] });
  assertEquals((await nextAnswer(busy))?.correlationId, 1);
  await echoes.runtime.advance(5_000);
  assertEquals(echoes.server.connections().length, 1, "idle time starts with the last answer");
  await echoes.runtime.advance(60_000);
  assertEquals(await nextAnswer(busy), undefined);
  assertEquals(echoes.runtime.pendingTimers, 0, "no connection, no timer");
  await echoes.server.close();
});

Deno.test("ServerConnection closes a client that stops inside a large frame", async () => {
  const echoes = new EchoServer([echoHandler(PIPELINED, (_context, request) => echo(request))]);
  await started(echoes);
  const client = echoes.network.connect();
  await client.writeAll(frame(PIPELINED, 1, pattern(900_000)).subarray(0, 100_000));
  await settle();
  await echoes.runtime.advance(FRAME_STALL_MS + 10_000);
  assertEquals(await nextAnswer(client), undefined);
  assertEquals(echoes.server.inflightBytes(), 0);
  await echoes.server.close();
});

for (let seed = 1; seed <= 20; seed++) {
  Deno.test(`ServerConnection keeps frames and order in random runs, ${seed}`, async () => {
    await randomSchedule(seed);
  });
}

/** Random sizes, chunks and delays; every payload is copied just before its release. */
async function randomSchedule(seed: number): Promise<void> {
  let state = seed * 2_654_435_761;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
  const pause = async () => {
    for (let turn = below(4); turn > 0; turn--) await new Promise((done) => setImmediate(done));
  };
  const careful = async (context: RequestContext, request: Echo): Promise<EchoReply> => {
    await pause();
    const whole = request.payload.slice();
    context.release();
    await pause();
    return { parts: [whole] };
  };
  const echoes = new EchoServer([echoHandler(PIPELINED, careful)], {
    inflightBytes: 1024 * 1024,
  });
  await started(echoes);
  const shape = {
    capacity: 2_000 + below(200_000),
    readMax: 500 + below(30_000),
    writeMax: 500 + below(30_000),
  };
  const ids = Array.from({ length: 60 }, (_, id) => id);
  const sizes = ids.map(() => below(below(4) === 0 ? 200_000 : 20_000));
  await Promise.all([0, 1, 2].map(async () => {
    const client = echoes.network.connect(shape);
    const sending = client.writeAll(concat(ids.map((id) => {
      return frame(PIPELINED, id, pattern(sizes[id]!, id));
    })));
    for (const id of ids) {
      assertEquals(await nextAnswer(client), { correlationId: id, body: pattern(sizes[id]!, id) });
    }
    await sending;
    client.close();
  }));
  await settle();
  assertEquals(echoes.server.inflightBytes(), 0);
  assertEquals(echoes.fatal, []);
  await echoes.server.close();
}
