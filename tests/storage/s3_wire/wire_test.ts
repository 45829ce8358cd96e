/** What both drivers do with a store that misbehaves; what a real MinIO shows is in minio_test. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import { bucketOn, DRIVERS, runtime } from "../bucket_stores.ts";
import { answer, type Handler, refusal, StubServer } from "./stub_server.ts";

const KEYS = { accessKey: "key", secretKey: "secret" };
const BODY = [new Uint8Array([1, 2, 3])];

interface Scene {
  readonly server: StubServer;
  readonly store: ObjectStore;
}

/** Runs `run` against a stub, once with each driver. */
function both(
  criterion: string,
  handler: Handler,
  run: (scene: Scene) => Promise<void>,
  settings: { timeoutMs?: number; concurrency?: number } = {},
): void {
  for (const [name, open] of Object.entries(DRIVERS)) {
    Deno.test(`${name} driver ${criterion}`, async () => {
      await using server = new StubServer(handler);
      const options = bucketOn({ ...KEYS, endpoint: server.endpoint }, "bucket");
      const store = await open({ ...options, ...settings });
      try {
        await run({ server, store });
      } finally {
        await store.close();
      }
    });
  }
}

async function fails(call: () => Promise<unknown>, outcome: string, message: RegExp) {
  const error = await assertRejects(call, StoreError);
  assertMatch(error.message, message);
  assertEquals(error.outcome, outcome, error.message);
}

/** [answer, outcome, message]: what a create answered like this fails with. */
const REFUSALS: readonly [string, string, RegExp][] = [
  [refusal("503 Slow Down", "SlowDown"), "throttled", /^create a\/b: the store asks for less/],
  [refusal("503 Service Unavailable", "ServiceUnavailable"), "throttled", /asks for less/],
  [refusal("503 Slow Down", "SlowDownWrite"), "throttled", /asks for less/],
  [answer("429 Too Many Requests"), "throttled", /asks for less/],
  [answer("503 Service Unavailable", "<html>"), "throttled", /not available .*<html>/],
  [refusal("507 Full", "XMinioStorageFull"), "throttled", /disks are full: free/],
  [refusal("409 Conflict", "ConditionalRequestConflict"), "retry", /another write/],
  [refusal("409 Conflict", "OperationAborted"), "retry", /another operation/],
  [refusal("500 Internal Error", "InternalError"), "retry", /the store failed/],
  [answer("502 Bad Gateway", "<html>"), "retry", /the store failed .*<html>/],
  [refusal("400 Bad Request", "RequestTimeout"), "retry", /in time/],
  [refusal("400 Bad Request", "IncompleteBody"), "retry", /whole request/],
  [refusal("404 Not Found", "NoSuchBucket"), "fatal", /bucket bucket does not exist: create it/],
  [refusal("403 Forbidden", "InvalidAccessKeyId"), "fatal", /correct KAFSCALE_S3_ACCESS_KEY/],
  [refusal("403 Forbidden", "SignatureDoesNotMatch"), "fatal", /KAFSCALE_S3_SECRET_KEY/],
  [refusal("403 Forbidden", "AccessDenied"), "fatal", /allow s3:ListBucket/],
  [refusal("501 Not Implemented", "NotImplemented"), "fatal", /conditional writes/],
  [refusal("405 Method Not Allowed", "MethodNotAllowed"), "fatal", /the store refuses/],
  [
    refusal("301 Moved", "PermanentRedirect", { "x-amz-bucket-region": "eu-west-3" }),
    "fatal",
    /another region: correct KAFSCALE_S3_REGION.* region eu-west-3/,
  ],
  ["HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request", "fatal", /sent an HTTP request/],
  ["SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", "retry", /not HTTP/],
];

both(
  "tells by status and code whether trying again can help",
  async (request) => {
    await request.body();
    const index = Number(/\/n(\d+)/.exec(request.path)?.[1] ?? 0);
    await request.send(REFUSALS[index]![0]);
    if (REFUSALS[index]![0].startsWith("HTTP/1.0")) request.cut();
  },
  async ({ store }) => {
    for (const [index, [, outcome, message]] of REFUSALS.entries()) {
      const key = index === 0 ? "a/b" : `n${index}`;
      await fails(() => store.putIfAbsent(key, BODY), outcome, message);
    }
  },
);

both(
  "gives refusals of listings and deletes the same outcomes",
  async (request) => {
    await request.body();
    const refused = request.path.includes("list-type")
      ? refusal("503 Slow Down", "SlowDown")
      : refusal("403 Forbidden", "AccessDenied");
    await request.send(refused);
  },
  async ({ store }) => {
    await fails(() => Array.fromAsync(store.list("a/", undefined)), "throttled", /^list a\/: /);
    await fails(() => store.delete(["a", "b"]), "fatal", /access denied/);
    await fails(() => store.delete(["a"]), "fatal", /^delete a: access denied/);
  },
);

both(
  "fails a batch of deletes for one key that stays",
  async (request) => {
    await request.body();
    const part = (key: string, code: string) =>
      `<Error><Key>${key}</Key><Code>${code}</Code><Message>no</Message></Error>`;
    const body = `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
      `${part("a", "NoSuchKey")}${part("b", "SlowDown")}</DeleteResult>`;
    await request.send(answer("200 OK", body));
  },
  async ({ store }) => {
    await fails(() => store.delete(["a", "b", "c"]), "throttled", /^delete b: .*SlowDown/);
  },
);

both(
  "takes 412 for exists, also before the body has left",
  // the answer comes first; no byte of the body is read until the client is gone
  async (request) => {
    await request.send(refusal("412 Precondition Failed", "PreconditionFailed"));
    if (request.path.endsWith("/unread")) request.cut();
  },
  async ({ server, store }) => {
    assertEquals(await store.putIfAbsent("small", BODY), "exists");
    const large = [new Uint8Array(4 << 20), new Uint8Array(4 << 20)];
    assertEquals(await store.putIfAbsent("large", large), "exists");
    const outcome = await store.putIfAbsent("unread", large).catch((error) => error.outcome);
    // a reset may overtake the answer
    assert(outcome === "exists" || outcome === "retry", String(outcome));
    assert(server.requests === 3);
  },
);

const skewed: Handler = async (request, count) => {
  await request.body();
  const storeTime = new Date(Date.now() + 3_600_000);
  const wanted = storeTime.toISOString().replace(/[-:]|\.\d+/g, "").slice(0, 11);
  const dated = request.headers.get("x-amz-date")!.startsWith(wanted);
  const date = { date: storeTime.toUTCString() };
  if (!dated) return await request.send(refusal("403 Forbidden", "RequestTimeTooSkewed", date));
  if (!request.path.includes("list-type")) return await request.send(answer("200 OK"));
  const list = `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`;
  assert(count < 10);
  await request.send(answer("200 OK", list));
};

both(
  "dates requests by the store's clock once that has told",
  skewed,
  async ({ server, store }) => {
    assertEquals(await store.putIfAbsent("a", BODY), "created");
    assertEquals(server.requests, 2);
    assertEquals(await store.putIfAbsent("b", BODY), "created");
    assertEquals(await Array.fromAsync(store.list("", undefined)), []);
    assertEquals(server.requests, 4);
  },
);

both("dates listings by the store's clock, too", skewed, async ({ server, store }) => {
  assertEquals(await Array.fromAsync(store.list("", undefined)), []);
  assertEquals(server.requests, 2);
});

both(
  "says in one sentence that the clock is wrong where dating cannot help",
  async (request) => {
    await request.body();
    await request.send(refusal("403 Forbidden", "RequestTimeTooSkewed"));
  },
  async ({ server, store }) => {
    await fails(() => store.putIfAbsent("a", BODY), "fatal", /clock is wrong: set it/);
    assertEquals(server.requests, 2);
    await fails(() => Array.fromAsync(store.list("", undefined)), "fatal", /clock is wrong/);
  },
);

both(
  "leaves it open whether a create took effect whose reply was cut off",
  async (request) => {
    await request.body();
    if (request.path.endsWith("/half")) await request.send("HTTP/1.1 200 OK\r\nContent-Le");
    request.cut();
  },
  async ({ server, store }) => {
    await fails(() => store.putIfAbsent("none", BODY), "retry", /^create none: .*ended/);
    await fails(() => store.putIfAbsent("half", BODY), "retry", /^create half: .*ended/);
    // not twice: the second one could meet the first one's object
    assertEquals(server.requests, 2);
  },
);

both(
  "repeats a read, a write and a listing at once when a kept connection had ended",
  async (request, count) => {
    await request.body();
    if (count % 2 === 1) return request.cut();
    if (request.method === "GET" && !request.path.includes("list-type")) {
      return await request.send(answer("200 OK", "abc"));
    }
    const list = `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`;
    await request.send(answer("200 OK", request.method === "GET" ? list : ""));
  },
  async ({ server, store }) => {
    await store.put("a", BODY);
    assertEquals((await store.get("a", undefined))?.length, 3);
    await store.put("a", BODY);
    assertEquals(await Array.fromAsync(store.list("", undefined)), []);
    assertEquals(server.requests, 7);
  },
);

both(
  "ends a call that is not answered after its time, and leaves nothing of it",
  () => new Promise((never) => setTimeout(never, 1_500)),
  async ({ store }) => {
    const started = performance.now();
    await fails(() => store.putIfAbsent("a", BODY), "retry", /did not answer within 200 ms/);
    await fails(() => store.get("a", undefined), "retry", /did not answer within 200 ms/);
    await fails(() => store.delete(["a", "b"]), "retry", /did not answer/);
    await fails(() => Array.fromAsync(store.list("", undefined)), "retry", /did not answer/);
    assert(performance.now() - started < 1_400);
  },
  { timeoutMs: 200 },
);

both(
  "allows a call more time by the MiB that it moves",
  async (request) => {
    await request.body();
    await new Promise((later) => setTimeout(later, 600));
    await request.send(answer("200 OK"));
  },
  async ({ store }) => {
    // a second more for each MiB
    assertEquals(await store.putIfAbsent("a", [new Uint8Array(8 << 20)]), "created");
  },
  { timeoutMs: 200 },
);

both(
  "has so many calls on their way as the setting says; the others wait, or give up on abort",
  async (request) => {
    await request.body();
    await new Promise((later) => setTimeout(later, 100));
    await request.send(answer("200 OK"));
  },
  async ({ server, store }) => {
    const calls = Array.from({ length: 7 }, (_, at) => store.putIfAbsent(`k${at}`, BODY));
    const abort = new AbortController();
    const waiting = store.putIfAbsent("waiting", BODY, { signal: abort.signal });
    const refused = assertRejects(() => waiting, StoreError, "aborted");
    await new Promise((later) => setTimeout(later, 50));
    assertEquals(server.requests, 3);
    abort.abort();
    await refused;
    assertEquals(new Set(await Promise.all(calls)), new Set(["created"]));
    assertEquals([server.requests, server.connections], [7, 3]);
  },
  { concurrency: 3 },
);

both(
  "writes though readers that catch up take all that they may",
  async (request) => {
    await request.body();
    // no read is ever answered
    if (request.method === "PUT") await request.send(answer("200 OK"));
  },
  async ({ store }) => {
    const abort = new AbortController();
    const reads = Array.from({ length: 50 }, (_, at) => store.get(`${at}`, undefined, abort));
    const gone = Promise.allSettled(reads);
    for (let at = 0; at < 20; at++) {
      assertEquals(await store.putIfAbsent(`slot/${at}`, BODY), "created");
    }
    abort.abort();
    await gone;
  },
  { concurrency: 4 },
);

both(
  "reads answers in chunks, and those that a 100 precedes",
  async (request) => {
    await request.body();
    await request.send("HTTP/1.1 100 Continue\r\n\r\n");
    const head = `HTTP/1.1 206 Partial Content\r\ntransfer-encoding: chunked\r\n\r\n`;
    for (
      const part of [head, "3\r\nab", "c\r\n", "0a;x=y\r\n0123456789\r\n0\r\nt: u\r\n", "\r\n"]
    ) {
      await request.send(part);
      await new Promise((later) => setTimeout(later, 5));
    }
  },
  async ({ server, store }) => {
    for (let round = 0; round < 2; round++) {
      const bytes = await store.get("a", { start: 0, end: 13 });
      assertEquals(new TextDecoder().decode(bytes), "abc0123456789");
    }
    assertEquals(server.connections, 1);
  },
);

both(
  "refuses a store that ignores ranges, and one that calls a missing bucket a missing key",
  async (request) => {
    await request.body();
    if (request.path.endsWith("/gone")) {
      return await request.send(answer("404 Not Found", "<html>"));
    }
    await request.send(answer("200 OK", "0123456789"));
  },
  async ({ store }) => {
    await fails(() => store.get("a", { start: 2, end: 4 }), "fatal", /ignores ranges/);
    await fails(() => store.getInto!("a", 0, [new Uint8Array(4)]), "fatal", /ignores ranges/);
    assertEquals((await store.get("a", { start: 0, end: 10 }))?.length, 10);
    await fails(() => store.get("gone", undefined), "fatal", /the store refuses \(404, <html>\)/);
  },
);

both(
  "notices that an idle connection was closed, before it is used again",
  async (request) => {
    await request.body();
    await request.send(answer("200 OK"));
    setTimeout(request.cut, 20);
  },
  async ({ server, store }) => {
    for (let round = 0; round < 3; round++) {
      assertEquals(await store.putIfAbsent(`k${round}`, BODY), "created");
      await new Promise((later) => setTimeout(later, 60));
    }
    assertEquals(server.connections, 3);
  },
);

Deno.test("s3 driver renews credentials that have expired, once", async () => {
  await using server = new StubServer(async (request) => {
    await request.body();
    const fresh = request.headers.get("x-amz-security-token") === "second";
    await request.send(fresh ? answer("200 OK") : refusal("400 Bad Request", "ExpiredToken"));
  });
  const { Wire } = await import("../../../drivers/storage/s3_wire/wire.ts");
  let token = "first";
  const wire = new Wire({
    runtime,
    server: { hostname: "127.0.0.1", port: Number(new URL(server.endpoint).port), tls: false },
    region: "us-east-1",
    credentials: (renew) => {
      if (renew) token = "second";
      return Promise.resolve({ accessKeyId: "a", secretAccessKey: "b", sessionToken: token });
    },
    bucket: "bucket",
    settings: "KAFSCALE_S3_",
    concurrency: 1,
    connectTimeoutMs: 1_000,
    timeoutMs: 1_000,
  });
  const status = await wire.call({
    what: "create a",
    request: { method: "PUT", path: "/bucket/a", query: "", headers: [] },
    body: [],
    repeatable: false,
    receive: async (head, connection) => {
      if (head.status !== 200) throw await wire.refused("create a", head, connection);
      await connection.body(head, 0);
      return head.status;
    },
  });
  wire.close();
  assertEquals([status, server.requests], [200, 2]);
});
