import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { HttpRequest, HttpRoute } from "../../core/plugin/mod.ts";
import { HttpServer, json } from "../../plugins/http/mod.ts";
import { RouteTable } from "../../plugins/http/route_table.ts";
import { keptLog } from "../plugin/scene.ts";

type Handle = HttpRoute["handle"];

const fine: Handle = () => new Response("fine");
const call = async (run: () => Promise<Response> | Response) => await run();

function route(method: HttpRoute["method"], path: string, handle = fine): HttpRoute {
  return { method, path, handle };
}

/** A server with `routes`; `ask` gives status, text and headers. */
async function served(
  routes: readonly HttpRoute[],
  use: (o: {
    server: HttpServer;
    ask: (path: string, init?: RequestInit) => Promise<{
      status: number;
      text: string;
      headers: Headers;
    }>;
  }) => Promise<void>,
) {
  const server = new HttpServer({ host: "127.0.0.1", port: 0, log: keptLog() });
  server.mount("test", routes, call);
  try {
    await use({
      server,
      ask: async (path, init) => {
        const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
        return { status: response.status, text: await response.text(), headers: response.headers };
      },
    });
  } finally {
    await server.close();
  }
}

Deno.test("RouteTable finds literal segments before those in braces, and decodes these", () => {
  const table = new RouteTable();
  const add = (method: HttpRoute["method"], path: string, owner = "o") =>
    table.add({ owner, route: route(method, path), call });
  add("GET", "/t/{topic}");
  add("GET", "/t/all");
  add("POST", "/t/{topic}/flush");
  const found = (method: string, path: string) => {
    const match = table.find(method, path);
    return "mounted" in match ? [match.mounted.route.path, match.path] : match;
  };
  assertEquals(found("GET", "/t/all"), ["/t/all", {}]);
  assertEquals(found("GET", "/t/a%2Fb%20c"), ["/t/{topic}", { topic: "a/b c" }]);
  assertEquals(found("GET", "/t/x/flush"), ["POST"]);
  assertEquals(found("GET", "/t/"), []);
  assertEquals(found("GET", "/t/x/y"), []);
  assertThrows(() => table.find("GET", "/t/%zz"), URIError);
  assertThrows(() => add("GET", "/t/{name}", "other"), Error, "served by the plugin o already");
  table.remove("o");
  assertEquals(found("GET", "/t/all"), []);
});

Deno.test("HttpServer answers what it does not serve with one sentence", () =>
  served([route("GET", "/a"), route("POST", "/b"), route("GET", "/c/{x}")], async ({ ask }) => {
    const none = await ask("/nothing");
    assertEquals([none.status, JSON.parse(none.text).error], [
      404,
      "nothing is served at /nothing",
    ]);
    const wrong = await ask("/b");
    assertEquals([wrong.status, wrong.headers.get("allow")], [405, "POST"]);
    assertStringIncludes(wrong.text, "takes POST, not GET");
    assertEquals((await ask("/c/%zz")).status, 400);
    const head = await ask("/a", { method: "HEAD" });
    assertEquals([head.status, head.text], [200, ""]);
  }));

Deno.test("HttpServer hands on path, query, headers and a body of 64 KiB at most", async () => {
  let seen: HttpRequest | undefined;
  const handle: Handle = (request) => {
    seen = request;
    return json({ length: request.body.length });
  };
  await served([route("POST", "/x/{id}", handle)], async ({ ask }) => {
    const post = (length: number, streamed = false) =>
      ask("/x/7?q=1", {
        method: "POST",
        headers: { "x-a": "b" },
        body: streamed ? new Blob(["x".repeat(length)]).stream() : "x".repeat(length),
      });
    assertEquals(JSON.parse((await post(65_536)).text), { length: 65_536 });
    assertEquals([seen?.path.id, seen?.url.searchParams.get("q"), seen?.headers.get("x-a")], [
      "7",
      "1",
      "b",
    ]);
    for (const streamed of [false, true]) {
      const large = await post(65_537, streamed);
      assertEquals(large.status, 413);
      assertStringIncludes(large.text, "65536 bytes");
    }
  });
});

Deno.test("HttpServer gives up a route that takes too long, and tells it so", async () => {
  let aborted = false;
  const slow: HttpRoute = {
    ...route(
      "GET",
      "/slow",
      ({ signal }) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () => {
            aborted = true;
            resolve(new Response("late"));
          })
        ),
    ),
    timeoutMs: 50,
  };
  await served([slow], async ({ ask }) => {
    const { status, text } = await ask("/slow");
    assertEquals([status, aborted], [503, true]);
    assertStringIncludes(text, "no answer within 0.05 s");
  });
});

Deno.test("HttpServer answers 64 requests at a time and turns others away", async () => {
  const open = Promise.withResolvers<void>();
  const waiting: Handle = async () => {
    await open.promise;
    return new Response("done");
  };
  await served([route("GET", "/wait", waiting), route("GET", "/fine")], async ({ ask, server }) => {
    const many = Array.from({ length: 64 }, () => ask("/wait"));
    let refused = await ask("/fine");
    for (; refused.status === 200; refused = await ask("/fine"));
    assertEquals(refused.status, 503);
    assertEquals(refused.headers.get("retry-after"), "1");
    open.resolve();
    assertEquals((await Promise.all(many)).map(({ status }) => status), Array(64).fill(200));
    assertEquals((await ask("/fine")).status, 200);
    assert(server.port > 0);
  });
});

Deno.test("HttpServer refuses a header that is too large", () =>
  served([route("GET", "/a")], async ({ server }) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const text = `GET /a HTTP/1.1\r\nhost: x\r\nbig: ${"x".repeat(1 << 20)}\r\n\r\n`;
    const bytes = new TextEncoder().encode(text);
    const sent = (async () => {
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    })().catch(() => {});
    const buffer = new Uint8Array(1024);
    const count = await conn.read(buffer);
    assertStringIncludes(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), " 400 ");
    conn.close();
    await sent;
  }));
