import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Ajv2020 } from "npm:ajv@8.17.1/dist/2020.js";
import { openApi } from "../../plugins/ops/openapi.ts";
import { OPERATIONS } from "../../plugins/ops/operations.ts";
import { CALM } from "../../drivers/storage/memory/driver.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { HostedBroker } from "./hosted.ts";

const TOKEN = "a-token-for-tests";
const BEARER = { authorization: `Bearer ${TOKEN}` };

interface Document {
  readonly paths: Record<
    string,
    Record<string, {
      operationId: string;
      responses: Record<string, { content: Record<string, { schema: { $ref: string } }> }>;
    }>
  >;
  readonly components: { readonly schemas: Record<string, object> };
}

/** Says what is wrong with an answer by the document; empty when it is as documented. */
function checker(document: Document) {
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  ajv.addVocabulary(["components"]);
  ajv.addSchema({ $id: "document", components: document.components }, "document");
  return (method: string, path: string, status: number, body: unknown): string => {
    const operation = document.paths[path]?.[method.toLowerCase()];
    const answer = operation?.responses[status];
    if (answer === undefined) return `${method} ${path} has no answer ${status} in the document`;
    const validate = ajv.getSchema(`document${answer.content["application/json"]!.schema.$ref}`);
    if (validate === undefined) return `no schema ${JSON.stringify(answer)}`;
    return validate(body) ? "" : ajv.errorsText(validate.errors);
  };
}

/** A broker with something of everything that can be asked for. */
async function furnished(): Promise<HostedBroker> {
  const broker = await HostedBroker.open({ opsToken: TOKEN, brokerId: 3 });
  const { scene } = broker;
  await scene.topic("t", 3);
  await scene.topic("other");
  for (const partition of [0, 1]) await scene.produce("t", partition, ["a", "b"]);
  await scene.commitOffset("g/1", "t", 0, 1);
  return broker;
}

/** Every operation with real parameters, and where it may, others that lead elsewhere. */
const ASKED: readonly (readonly [id: string, path: string, status: number])[] = [
  ["alive", "/livez", 200],
  ["aliveAsWell", "/healthz", 200],
  ["ready", "/readyz", 200],
  ["health", "/api/v1/health", 200],
  ["status", "/api/v1/status", 200],
  ["config", "/api/v1/config", 200],
  ["topics", "/api/v1/topics", 200],
  ["topics", "/api/v1/topics?limit=1&after=other", 200],
  ["topics", "/api/v1/topics?limit=nine", 400],
  ["topics", "/api/v1/topics?limits=9", 400],
  ["topic", "/api/v1/topics/t", 200],
  ["topic", "/api/v1/topics/t?from=1&limit=1", 200],
  ["topic", "/api/v1/topics/nothing", 404],
  ["groups", "/api/v1/groups", 200],
  ["group", "/api/v1/groups/g%2F1", 200],
  ["group", "/api/v1/groups/nobody", 404],
  ["connections", "/api/v1/connections?limit=10", 200],
  ["flush", "/api/v1/flush", 200],
  ["snapshot", "/api/v1/etcd/snapshot", 200],
  // nobody is there to take over
  ["drain", "/api/v1/drain", 409],
  ["drain", "/api/v1/drain?timeoutSeconds=0", 400],
];

Deno.test("every operation answers as its OpenAPI document says", async () => {
  await using broker = await furnished();
  const document = JSON.parse((await broker.get("/api/v1/openapi.json")).text) as Document;
  const check = checker(document);
  assertEquals(new Set(ASKED.map(([id]) => id)), new Set(OPERATIONS.map(({ id }) => id)));
  for (const [id, path, status] of ASKED) {
    const { method, path: pattern } = OPERATIONS.find((operation) => operation.id === id)!;
    const got = await broker.get(path, { method, headers: BEARER });
    assertEquals([path, got.status], [path, status], got.text);
    assertEquals(got.headers.get("content-type"), "application/json");
    assertEquals([path, check(method, pattern, status, JSON.parse(got.text))], [path, ""]);
  }
  const paths = Object.keys(document.paths);
  assertEquals(new Set(paths), new Set(OPERATIONS.map(({ path }) => path)));
});

Deno.test("the check of answers sees what is not as documented", () => {
  const check = checker(openApi(OPERATIONS, "1") as unknown as Document);
  assertEquals(check("GET", "/livez", 200, { status: "ok" }), "");
  assertStringIncludes(check("GET", "/livez", 200, { status: "dead" }), "must be equal to one of");
  assertStringIncludes(check("GET", "/livez", 200, { status: "ok", more: 1 }), "additional");
  assertStringIncludes(check("GET", "/livez", 418, {}), "no answer 418");
});

Deno.test("reads tell what is there", async () => {
  await using broker = await furnished();
  const read = async (path: string) => JSON.parse((await broker.get(path)).text);
  const names = (page: { topics: { name: string }[] }) => page.topics.map(({ name }) => name);
  const first = await read("/api/v1/topics?limit=1");
  assertEquals([names(first), first.next], [["other"], "other"]);
  const second = await read(`/api/v1/topics?limit=1&after=${first.next}`);
  assertEquals([names(second), second.next], [["t"], null]);
  const topic = await read("/api/v1/topics/t?from=1&limit=1");
  assertEquals(topic.next, 2);
  assertEquals(topic.partitionDetails[0].log.highWatermark, 2);
  const group = await read("/api/v1/groups/g%2F1");
  assertEquals([group.state, group.lag.total, group.lag.max], ["Empty", 1, 1]);
  const config = await read("/api/v1/config");
  assertEquals([config.brokerId, config.opsToken], [3, "(secret)"]);
  const { connections } = await read("/api/v1/connections");
  assertEquals(connections.map(({ clientId }: { clientId: string }) => clientId), ["raw"]);
});

Deno.test("what changes something wants the token, and is off without one", async () => {
  const flush = (broker: HostedBroker, authorization?: string) =>
    broker.get("/api/v1/flush", {
      method: "POST",
      headers: authorization === undefined ? {} : { authorization },
    });
  {
    await using broker = await HostedBroker.open({ opsToken: TOKEN });
    for (const wrong of [undefined, TOKEN, `Bearer ${TOKEN}x`, "Bearer ", "Basic eDp5"]) {
      const { status, text, headers } = await flush(broker, wrong);
      assertEquals([wrong, status], [wrong, 401]);
      assertStringIncludes(text, "KAFSCALE_OPS_TOKEN");
      assertEquals(headers.get("www-authenticate"), "Bearer");
      assert(!text.includes(TOKEN));
    }
    assertEquals((await flush(broker, `Bearer ${TOKEN}`)).status, 200);
    assertEquals((await flush(broker, `bearer  ${TOKEN}`)).status, 200);
    assertEquals((await broker.get("/api/v1/flush")).status, 405);
  }
  await using broker = await HostedBroker.open();
  const { status, text } = await flush(broker, `Bearer ${TOKEN}`);
  assertEquals(status, 403);
  assertStringIncludes(text, "set KAFSCALE_OPS_TOKEN");
});

Deno.test("a broker that stops is alive and not ready, and flushes no more", async () => {
  await using broker = await furnished();
  await broker.scene.broker.drain();
  assertEquals((await broker.get("/livez")).status, 200);
  const ready = await broker.get("/readyz");
  assertEquals(ready.status, 503);
  assertStringIncludes(ready.text, "stops, and accepts no connections");
  const flushed = await broker.get("/api/v1/flush", { method: "POST", headers: BEARER });
  assertEquals(flushed.status, 409);
  assertStringIncludes(flushed.text, "the broker is stopping");
});

Deno.test("a drain is refused where nobody would take over, and changes nothing", async () => {
  await using broker = await furnished();
  const { status, text } = await broker.get("/api/v1/drain", { method: "POST", headers: BEARER });
  assertEquals(status, 409);
  assertStringIncludes(text, "no other broker that could take over");
  assertEquals((await broker.get("/readyz")).status, 200);
  assertEquals(JSON.parse((await broker.get("/api/v1/status")).text).state, "serving");
  const unasked = await broker.get("/api/v1/drain", { method: "POST" });
  assertEquals(unasked.status, 401);
});

Deno.test("an unavailable store makes the broker unready, and says why", async () => {
  const faults = { ...CALM };
  const limits = { s3LatencyCritMs: 100, s3LatencyWarnMs: 50 };
  await using broker = await HostedBroker.open(limits, faults);
  const { scene } = broker;
  await scene.topic("t");
  const health = async () => JSON.parse((await broker.get("/api/v1/health")).text);
  assertEquals((await health()).state, "healthy");
  faults.failBeforeChance = 1;
  const refused = scene.produce("t", 0, ["a"]).catch((error: Error) => error.message);
  const unready = await waitUntil("the broker is not ready", async () => {
    const got = await broker.get("/readyz");
    return got.status === 503 ? got : undefined;
  });
  assertStringIncludes(unready.text, "unavailable: no answer for");
  const { state, value, reason } = await health();
  assertEquals([state, value], ["unavailable", 2]);
  assert(reason !== "");
  assertStringIncludes(String(await refused), "refused with code");
  faults.failBeforeChance = 0;
  await waitUntil(
    "the broker is ready again",
    async () => (await broker.get("/readyz")).status === 200 || undefined,
  );
  assertEquals((await health()).state, "degraded");
});
