import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat, MalformedError, Reader } from "../../core/bytes/mod.ts";
import { apiVersionsHandler } from "../../core/handlers/18_api_versions.ts";
import type { AnyHandler } from "../../core/handlers/mod.ts";
import { deferred, InvariantError } from "../../core/runtime/mod.ts";
import { systemRuntime } from "../../core/runtime/system.ts";
import { createServer } from "../../core/server/mod.ts";
import {
  CONFIG,
  echo,
  echoHandler,
  EchoServer,
  frame,
  HOLDING,
  nextAnswer,
  NO_ROOMS,
  pattern,
  PIPELINED,
} from "./echo_server.ts";
import { settle } from "../runtime/manual_runtime.ts";

const echoing = echoHandler(PIPELINED, (_context, request) => echo(request));

Deno.test("Dispatcher echoes correlation ids and skips the header's tagged fields", async () => {
  const echoes = new EchoServer([echoing]);
  await echoes.server.start();
  const client = echoes.network.connect();
  await client.writeAll(frame(PIPELINED, 0x7fffffff, pattern(3), { version: 1 }));
  const answer = await nextAnswer(client);
  assertEquals(answer, {
    correlationId: 0x7fffffff,
    body: concat([new Uint8Array(1), pattern(3)]),
  });
  await client.writeAll(frame(PIPELINED, -5, pattern(3), { clientId: null }));
  assertEquals(await nextAnswer(client), { correlationId: -5, body: pattern(3) });
  client.close();
  await echoes.server.close();
});

Deno.test("Dispatcher answers ApiVersions of an unknown version in version 0", async () => {
  const handlers: AnyHandler[] = [echoing];
  handlers.push(apiVersionsHandler(() => handlers));
  const echoes = new EchoServer(handlers);
  await echoes.server.start();
  const client = echoes.network.connect();
  await client.writeAll(frame(18, 7, new Uint8Array(0), { version: 99 }));
  const answer = await nextAnswer(client);
  assertEquals(answer?.correlationId, 7);
  const body = new Reader(answer!.body);
  assertEquals([body.int16(), body.int32()], [35, 2]);
  assertEquals([body.int16(), body.int16(), body.int16()].slice(0, 2), [18, 0]);
  assertEquals([body.int16(), body.int16(), body.int16()], [PIPELINED, 0, 1]);
  assertEquals(body.remaining, 0, "version 0 ends here");
  await client.writeAll(frame(PIPELINED, 8, pattern(1)));
  assertEquals((await nextAnswer(client))?.correlationId, 8, "the connection goes on");
  client.close();
  await echoes.server.close();
});

for (
  const [name, apiKey, version] of [
    ["an unknown API", 555, 0],
    ["a negative API key", -1, 0],
    ["a newer version", PIPELINED, 2],
    ["a negative version", PIPELINED, -1],
  ] as const
) {
  Deno.test(`Dispatcher closes the connection on ${name} and says who asked`, async () => {
    const echoes = new EchoServer([echoing]);
    await echoes.server.start();
    const client = echoes.network.connect();
    await client.writeAll(frame(apiKey, 1, pattern(9), { version }));
    assertEquals(await nextAnswer(client), undefined);
    const [line] = echoes.runtime.lines;
    assertEquals(line?.level, "warn");
    assertEquals(line?.fields?.apiKey, apiKey);
    assertEquals(line?.fields?.apiVersion, version);
    assertEquals(line?.fields?.clientId, "test");
    await echoes.server.close();
  });
}

Deno.test("Dispatcher closes on a malformed request, and serves others", async () => {
  const strict = echoHandler(PIPELINED, (_context, request) => echo(request));
  strict.api.request.read = () => {
    throw new MalformedError("no such thing");
  };
  const echoes = new EchoServer([strict, echoHandler(HOLDING, (_c, request) => echo(request))]);
  await echoes.server.start();
  const bad = echoes.network.connect();
  const good = echoes.network.connect();
  await bad.writeAll(frame(PIPELINED, 1, pattern(9)));
  await good.writeAll(frame(HOLDING, 2, pattern(9)));
  assertEquals(await nextAnswer(bad), undefined);
  assertEquals((await nextAnswer(good))?.correlationId, 2);
  assertEquals(echoes.runtime.messages("warn"), ["malformed request, closing the connection"]);
  assertEquals(echoes.fatal, []);
  good.close();
  await echoes.server.close();
});

Deno.test("Dispatcher survives every truncation and bit flip of a request", async () => {
  const echoes = new EchoServer([echoing]);
  await echoes.server.start();
  const whole = frame(PIPELINED, 1, pattern(12), { version: 1 });
  for (let at = 4; at < whole.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = whole.slice();
      bytes[at]! ^= flip;
      const client = echoes.network.connect();
      await client.writeAll(bytes);
      client.close();
    }
  }
  for (let length = 8; length < whole.length - 4; length++) {
    const bytes = whole.slice(0, 4 + length);
    new DataView(bytes.buffer).setInt32(0, length);
    const client = echoes.network.connect();
    await client.writeAll(bytes);
    client.close();
  }
  for (let turn = 0; turn < 20; turn++) await settle();
  assertEquals(echoes.fatal, []);
  assertEquals(echoes.runtime.messages("error"), []);
  assertEquals(echoes.server.connections().length, 0);
  await echoes.server.close();
});

Deno.test("Dispatcher closes the connection when a handler fails, later or at once", async () => {
  const echoes = new EchoServer([
    echoHandler(PIPELINED, () => Promise.reject(new Error("later"))),
    echoHandler(HOLDING, () => {
      throw new Error("at once");
    }),
  ]);
  await echoes.server.start();
  for (const key of [PIPELINED, HOLDING]) {
    const client = echoes.network.connect();
    await client.writeAll(frame(key, 1, pattern(9)));
    assertEquals(await nextAnswer(client), undefined);
  }
  assertEquals(echoes.server.apiStats().map((stats) => stats.failures), [1, 1]);
  assertEquals(echoes.runtime.messages("error").length, 2);
  assertEquals(echoes.fatal, []);
  await echoes.server.close();
});

Deno.test("Dispatcher hands a broken invariant to onFatal", async () => {
  const echoes = new EchoServer([
    echoHandler(PIPELINED, () => Promise.reject(new InvariantError("broken"))),
  ]);
  await echoes.server.start();
  const client = echoes.network.connect();
  await client.writeAll(frame(PIPELINED, 1, pattern(9)));
  assertEquals(await nextAnswer(client), undefined);
  assert(echoes.fatal[0] instanceof InvariantError);
  await echoes.server.close();
});

Deno.test("Dispatcher sends nothing for undefined, and keeps the order", async () => {
  const echoes = new EchoServer([
    echoHandler(
      PIPELINED,
      (context) =>
        Promise.resolve(context.correlationId % 2 === 0 ? undefined : { parts: [pattern(4)] }),
    ),
  ]);
  await echoes.server.start();
  const client = echoes.network.connect();
  for (let id = 0; id < 6; id++) await client.writeAll(frame(PIPELINED, id, pattern(1)));
  for (const id of [1, 3, 5]) assertEquals((await nextAnswer(client))?.correlationId, id);
  const stats = echoes.server.apiStats()[0]!;
  assertEquals([stats.requests, stats.latencyMs.count, stats.errorResponses], [6, 6, 0]);
  client.close();
  await echoes.server.close();
});

Deno.test("Dispatcher measures a request from its arrival on, its waits included", async () => {
  const waits = deferred<void>();
  const echoes = new EchoServer([
    echoHandler(HOLDING, async () => {
      await waits.promise;
      return { parts: [] };
    }),
  ]);
  await echoes.server.start();
  const client = echoes.network.connect();
  await client.writeAll(frame(HOLDING, 1, pattern(1)));
  await settle();
  await echoes.runtime.advance(5);
  await client.writeAll(frame(HOLDING, 2, pattern(1)));
  await settle();
  await echoes.runtime.advance(20);
  waits.resolve();
  for (const id of [1, 2]) assertEquals((await nextAnswer(client))?.correlationId, id);
  const { latencyMs } = echoes.server.apiStats()[0]!;
  assertEquals([latencyMs.count, latencyMs.max, latencyMs.sum], [2, 25, 45]);
  client.close();
  await echoes.server.close();
});

Deno.test("createServer() closes connections above the limit", async () => {
  const echoes = new EchoServer([echoing], { maxConnections: 2 });
  await echoes.server.start();
  const clients = [0, 1, 2].map(() => echoes.network.connect());
  await settle();
  assertEquals(await nextAnswer(clients[2]!), undefined);
  assertEquals(echoes.server.stats.connectionsRefused, 1);
  clients[0]!.close();
  await settle();
  const next = echoes.network.connect();
  await next.writeAll(frame(PIPELINED, 1, pattern(1)));
  assertEquals((await nextAnswer(next))?.correlationId, 1);
  next.close();
  clients[1]!.close();
  await echoes.server.close();
});

Deno.test("createServer() goes on after failed accepts, backing off", async () => {
  const echoes = new EchoServer([echoing]);
  for (let index = 0; index < 5; index++) {
    echoes.network.acceptErrors.push(new Error("too many open files"));
  }
  await echoes.server.start();
  await echoes.runtime.advance(9);
  assertEquals(echoes.server.stats.acceptErrors, 1);
  await echoes.runtime.advance(10_000);
  assertEquals(echoes.server.stats.acceptErrors, 5);
  assertEquals(echoes.runtime.messages("warn").length, 1);
  const client = echoes.network.connect();
  await client.writeAll(frame(PIPELINED, 1, pattern(1)));
  assertEquals((await nextAnswer(client))?.correlationId, 1);
  client.close();
  await echoes.server.close();
});

Deno.test("close() lets pending requests be answered, starts none, and ends waits", async () => {
  const answer = deferred<void>();
  let started = 0;
  const echoes = new EchoServer([
    echoHandler(PIPELINED, async (context, request) => {
      started++;
      const reply = echo(request);
      context.release();
      await answer.promise;
      return reply;
    }),
    echoHandler(
      HOLDING,
      (context) =>
        new Promise((resolve) =>
          context.signal.addEventListener("abort", () => resolve({ parts: [] }))
        ),
    ),
  ]);
  await echoes.server.start();
  const producer = echoes.network.connect();
  const poller = echoes.network.connect();
  const idle = echoes.network.connect();
  await producer.writeAll(frame(PIPELINED, 1, pattern(5)));
  await poller.writeAll(frame(HOLDING, 2, pattern(5)));
  await settle();
  const closed = echoes.server.close();
  await producer.writeAll(frame(PIPELINED, 3, pattern(5)));
  await settle();
  assertEquals(await nextAnswer(idle), undefined);
  assertEquals(await nextAnswer(poller), { correlationId: 2, body: new Uint8Array(0) });
  answer.resolve();
  assertEquals(await nextAnswer(producer), { correlationId: 1, body: pattern(5) });
  assertEquals(await nextAnswer(producer), undefined);
  await closed;
  assertEquals(started, 1);
  assertEquals(echoes.runtime.pendingTimers, 0);
});

Deno.test("close() ends connections after its time limit", async () => {
  const echoes = new EchoServer([echoHandler(HOLDING, () => new Promise(() => {}))]);
  await echoes.server.start();
  const client = echoes.network.connect();
  await client.writeAll(frame(HOLDING, 1, pattern(5)));
  await settle();
  const closed = echoes.server.close(3_000);
  await settle();
  await echoes.runtime.advance(3_000);
  await closed;
  assertEquals(await nextAnswer(client), undefined);
});

Deno.test("createServer() serves many connections at once", async () => {
  const echoes = new EchoServer([echoing], { maxConnections: 1_000 });
  await echoes.server.start();
  const clients = Array.from({ length: 500 }, () => echoes.network.connect());
  await Promise.all(clients.map(async (client, id) => {
    for (let round = 0; round < 3; round++) {
      await client.writeAll(frame(PIPELINED, id, pattern(id * 50, id)));
      assertEquals(await nextAnswer(client), { correlationId: id, body: pattern(id * 50, id) });
    }
  }));
  assertEquals(echoes.server.connections().length, 500);
  for (const client of clients) client.close();
  await settle();
  assertEquals(echoes.server.connections().length, 0);
  assertEquals(echoes.server.inflightBytes(), 0);
  await echoes.server.close();
});

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

Deno.test("createServer() serves real sockets", async () => {
  const server = createServer({
    runtime: systemRuntime(quiet),
    config: { ...CONFIG, brokerAddr: "127.0.0.1:0" },
    rooms: NO_ROOMS,
    handlers: [
      echoHandler(PIPELINED, (context, request) => {
        const reply = echo(request);
        context.release();
        return Promise.resolve(reply);
      }),
    ],
    onFatal: (error) => {
      throw error;
    },
  });
  const { host, port } = await server.start();
  const sizes = [0, 10, 16_000, 17_000, 300_000, 2_000_000, 3];
  await Promise.all(Array.from({ length: 8 }, async (_, seed) => {
    const conn = await Deno.connect({ hostname: host, port });
    const sending = (async () => {
      for (const [id, size] of sizes.entries()) {
        const bytes = frame(PIPELINED, id, pattern(size, seed));
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      }
    })();
    for (const [id, size] of sizes.entries()) {
      const answer = await readSocket(conn, 8 + size);
      const reader = new Reader(answer);
      assertEquals([reader.int32(), reader.int32()], [4 + size, id]);
      assertEquals(answer.subarray(8), pattern(size, seed));
    }
    await sending;
    conn.close();
  }));
  await server.close();
  await assertRejects(() => Deno.connect({ hostname: host, port }));
});

async function readSocket(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) throw new Error("closed");
    at += count;
  }
  return bytes;
}
