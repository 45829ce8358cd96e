/** The proxy in front of a plain HTTP server that keeps objects, and tells what reached it. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type ActiveRule, FaultProgram, readRequest, type Rule } from "./fault_program.ts";
import { FaultProxy } from "./fault_proxy.ts";
import { Prng } from "../simulation/prng.ts";
import { freePort } from "./free_port.ts";

/** A store of whole bodies, and the way to it through a proxy. */
class Scene implements AsyncDisposable {
  readonly objects = new Map<string, Uint8Array>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly proxy: FaultProxy;
  readonly #client = Deno.createHttpClient({});

  constructor() {
    this.#server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port: 0,
        onListen: () => {},
        // a body that was cut
        onError: () => new Response(null, { status: 400 }),
      },
      (request) => this.#answer(request),
    );
    this.proxy = new FaultProxy({ port: this.#server.addr.port, seed: "test" });
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const all = { ...init, client: this.#client } as RequestInit;
    return fetch(`${this.proxy.endpoint}/bucket/${path}`, all);
  }

  async put(path: string, body: BodyInit): Promise<number> {
    const response = await this.fetch(path, { method: "PUT", body });
    await response.body?.cancel();
    return response.status;
  }

  async get(path: string): Promise<Uint8Array> {
    return await (await this.fetch(path)).bytes();
  }

  async #answer(request: Request): Promise<Response> {
    const key = new URL(request.url).pathname;
    if (request.method === "PUT") {
      if (request.headers.get("if-none-match") === "*" && this.objects.has(key)) {
        // before the body is read
        return new Response(null, { status: 412 });
      }
      this.objects.set(key, await request.bytes());
      return new Response(null, { status: 200 });
    }
    const body = this.objects.get(key);
    if (body === undefined) return new Response("none", { status: 404 });
    if (!key.includes("chunked")) return new Response(body.slice());
    return new Response(new Blob([body.slice()]).stream());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.proxy.close();
    await this.#server.shutdown();
  }
}

function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  new Prng("bodies").fill(bytes);
  return bytes;
}

async function passed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

Deno.test("without rules bodies of all framings and sizes pass, counted", async () => {
  await using scene = new Scene();
  for (const [path, length] of [["none", 0], ["small", 7], ["large", 20_000_003]] as const) {
    const body = random(length);
    assertEquals(await scene.put(path, body), 200);
    assertEquals(await scene.put(`chunked-${path}`, new Blob([body]).stream()), 200);
    for (const name of [path, `chunked-${path}`]) {
      assert(equal(await scene.get(name), body), name);
    }
  }
  const head = await scene.fetch("large", { method: "HEAD" });
  assertEquals(head.headers.get("content-length"), "20000003");
  assertEquals(new TextDecoder().decode(await scene.get("absent")), "none");
  const { PUT, GET, HEAD } = scene.proxy.requests;
  assertEquals([PUT, GET, HEAD, scene.proxy.total], [6, 7, 1, 14]);
  assertEquals(scene.proxy.struck, {});
});

Deno.test("many requests at once keep to their own connections", async () => {
  await using scene = new Scene();
  await Promise.all(Array.from({ length: 300 }, async (_, at) => {
    const body = random(1 + at * 97);
    await scene.put(`many/${at}`, body);
    assert(equal(await scene.get(`many/${at}`), body));
  }));
});

Deno.test("a refusal before the end of the body arrives", async () => {
  await using scene = new Scene();
  await scene.put("slot", "first");
  for (let round = 0; round < 5; round++) {
    const init = { method: "PUT", headers: { "if-none-match": "*" }, body: random(9_000_000) };
    const status = await scene.fetch("slot", init).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    }, () => "cut");
    // with the socket cut behind the refusal, either may be seen first
    assert(status === 412 || status === "cut", `${status}`);
  }
  assertEquals(new TextDecoder().decode(await scene.get("slot")), "first");
});

Deno.test("cutBefore: nothing reaches the store; loseReply: everything does", async () => {
  await using scene = new Scene();
  scene.proxy.add({ fault: { kind: "cutBefore" }, on: "PUT", key: /^before$/ });
  scene.proxy.add({ fault: { kind: "loseReply" }, on: "PUT", key: /^after$/ });
  await assertRejects(() => scene.put("before", "x"), TypeError);
  assertEquals(scene.objects.has("/bucket/before"), false);
  await assertRejects(() => scene.put("after", random(3_000_000)), TypeError);
  assertEquals(scene.objects.get("/bucket/after")?.length, 3_000_000);
  // fetch of Deno 2.7 sends a request again whose connection ended
  assert(scene.proxy.struck.cutBefore! >= 1 && scene.proxy.struck.loseReply! >= 1);
  scene.proxy.clear();
  assertEquals([await scene.put("before", "x"), await scene.put("after", "x")], [200, 200]);
});

Deno.test("late: fails at once, takes effect afterwards", async () => {
  await using scene = new Scene();
  scene.proxy.add({ fault: { kind: "late", ms: 150 }, on: "PUT" });
  await assertRejects(() => scene.put("slot", random(400_000)), TypeError);
  assertEquals(scene.objects.size, 0);
  while (scene.objects.size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(scene.objects.get("/bucket/slot")?.length, 400_000);
});

Deno.test("cutRequest and cutReply end within the body", async () => {
  await using scene = new Scene();
  const body = random(5_000_000);
  scene.proxy.add({ fault: { kind: "cutRequest", afterBytes: 1_000_000 }, on: "PUT", key: /torn/ });
  await assertRejects(() => scene.put("torn", body), TypeError);
  assertEquals(scene.objects.has("/bucket/torn"), false);
  await scene.put("whole", body);
  const cut = scene.proxy.add({ fault: { kind: "cutReply", afterBytes: 70_000 }, on: "GET" });
  const response = await scene.fetch("whole");
  assertEquals(response.status, 200);
  await assertRejects(() => response.bytes(), TypeError);
  cut.remove();
  assert(equal(await scene.get("whole"), body));
});

Deno.test("delay, delayReply and throttle take their time", async () => {
  await using scene = new Scene();
  const once = (fault: Rule["fault"]) => scene.proxy.add({ fault, times: 1 });
  once({ kind: "delay", ms: 120 });
  assert(await passed(() => scene.put("a", "x")) >= 115);
  once({ kind: "delayReply", ms: 120 });
  assert(await passed(() => scene.put("a", "x")) >= 115);
  once({ kind: "throttle", bytesPerSecond: 2_000_000 });
  assert(await passed(() => scene.put("a", random(400_000))) >= 190);
  once({ kind: "throttle", bytesPerSecond: 2_000_000 });
  assert(await passed(() => scene.get("a")) >= 190);
  assert(await passed(() => scene.get("a")) < 115);
});

Deno.test("blackhole: no answer, until the client gives up; others pass", async () => {
  await using scene = new Scene();
  scene.proxy.add({ fault: { kind: "blackhole" }, key: /hole/ });
  const signal = AbortSignal.timeout(200);
  const init = { method: "PUT", body: random(2_000_000), signal };
  const hung = assertRejects(() => scene.fetch("hole", init), DOMException);
  assertEquals(await scene.put("free", "x"), 200);
  await hung;
  assertEquals(scene.objects.has("/bucket/hole"), false);
});

Deno.test("refuse answers as S3 does, and the connection goes on", async () => {
  await using scene = new Scene();
  scene.proxy.add({ fault: { kind: "refuse", code: "SlowDown" }, on: "PUT", times: 3 });
  scene.proxy.add({ fault: { kind: "refuse", code: "RequestTimeTooSkewed" }, on: "GET", times: 1 });
  for (let round = 0; round < 3; round++) {
    const init = { method: "PUT", body: random(1_000_000) };
    const slow = await scene.fetch("a%26b/%C3%A4", init);
    assertEquals([slow.status, slow.headers.get("content-type")], [503, "application/xml"]);
    const xml = await slow.text();
    assertStringIncludes(xml, "<Code>SlowDown</Code>");
    assertStringIncludes(xml, "<Resource>/bucket/a&amp;b/ä</Resource>");
  }
  assertEquals(await scene.put("a", "x"), 200);
  const skewed = await scene.fetch("a");
  assertEquals(skewed.status, 403);
  assert(Date.parse(skewed.headers.get("date")!) > Date.now() + 80_000_000);
  assertStringIncludes(await skewed.text(), "<Code>RequestTimeTooSkewed</Code>");
});

Deno.test("sever ends connections until mend", async () => {
  await using scene = new Scene();
  await scene.put("a", "x");
  scene.proxy.sever();
  await assertRejects(() => scene.put("a", "x"), TypeError);
  scene.proxy.mend();
  assertEquals(await scene.put("a", "x"), 200);
});

Deno.test("a store that is down looks like a cut connection", async () => {
  const proxy = new FaultProxy({ port: freePort() });
  const client = Deno.createHttpClient({});
  await assertRejects(() => fetch(`${proxy.endpoint}/bucket/a`, { client }), TypeError);
  client.close();
  await proxy.close();
});

Deno.test("rules: order, skip, times and chance decide; a seed repeats", () => {
  const draw = (seed: string): [string, ActiveRule, ActiveRule] => {
    const program = new FaultProgram(seed);
    const first = program.add({ fault: { kind: "cutBefore" }, on: "PUT", skip: 2, times: 1 });
    const second = program.add({ fault: { kind: "loseReply" }, on: ["PUT", "GET"], chance: 0.3 });
    const put = readRequest("PUT /bucket/a/b%20c HTTP/1.1", new Map());
    const fates = Array.from({ length: 1000 }, () => program.decide(put)?.kind[0] ?? ".");
    return [fates.join(""), first, second];
  };
  const [fates, first, second] = draw("one");
  assertEquals(draw("one")[0], fates);
  assert(draw("two")[0] !== fates);
  assertEquals([first.matched, first.struck], [1000, 1]);
  assertEquals(fates[2], "c");
  assert(second.struck > 220 && second.struck < 380, `${second.struck}`);
});

Deno.test("readRequest tells operations apart", () => {
  const of = (line: string) => {
    const { operation, bucket, key } = readRequest(line, new Map());
    return [operation, bucket, key];
  };
  assertEquals(of("GET /b?list-type=2&prefix=x HTTP/1.1"), ["LIST", "b", ""]);
  assertEquals(of("GET /b/?list-type=2&prefix=x HTTP/1.1"), ["LIST", "b", ""]);
  assertEquals(of("GET /b?location HTTP/1.1"), ["OTHER", "b", ""]);
  assertEquals(of("POST /b?delete= HTTP/1.1"), ["DELETE", "b", ""]);
  assertEquals(of("DELETE /b/k HTTP/1.1"), ["DELETE", "b", "k"]);
  assertEquals(of("PUT /b/n/t%C3%A4/0 HTTP/1.1"), ["PUT", "b", "n/tä/0"]);
  assertEquals(of("PUT /b HTTP/1.1"), ["OTHER", "b", ""]);
});

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
