/** Both drivers on a real MinIO that is stopped, paused, and wrongly asked. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ObjectStore, StoreError } from "../../../core/storage/object_store.ts";
import type { BucketStore } from "../../../drivers/storage/s3_wire/bucket_store.ts";
import { Minio, minioForFile } from "../../services/minio.ts";
import { send } from "../../services/signed_request.ts";
import { temporaryKeys } from "../../services/temporary_keys.ts";
import { bucketOn, DRIVERS, runtime } from "../bucket_stores.ts";

const shared = await minioForFile("object store drivers", { MINIO_SITE_REGION: "us-east-1" });
const BODY = [new TextEncoder().encode("body")];
const MIB = 1 << 20;

type Options = ReturnType<typeof bucketOn>;
interface Scene {
  readonly minio: Minio;
  readonly options: Options;
  open(changes?: Partial<Options>): Promise<ObjectStore>;
}

/** Runs `run` with each driver, on the server that all tests share or on one `alone`. */
function both(criterion: string, run: (scene: Scene) => Promise<void>, alone = false): void {
  for (const [name, openDriver] of Object.entries(DRIVERS)) {
    Deno.test({
      name: `${name} driver on MinIO ${criterion}`,
      ignore: shared === undefined,
      fn: async () => {
        const minio = alone ? await Minio.start() : shared!;
        const options = bucketOn(minio, await minio.bucket());
        const opened: ObjectStore[] = [];
        const open = async (changes: Partial<Options> = {}) => {
          opened.push(await openDriver({ ...options, ...changes }));
          return opened.at(-1)!;
        };
        try {
          await run({ minio, options, open });
        } finally {
          for (const store of opened) await store.close();
          if (alone) await minio.stop();
        }
      },
    });
  }
}

async function fails(call: () => Promise<unknown>, outcome: string, message: RegExp) {
  const error = await assertRejects(call, StoreError);
  assertMatch(error.message, message);
  assertEquals(error.outcome, outcome, error.message);
}

async function allFail(store: ObjectStore, outcome: string, message: RegExp): Promise<void> {
  await fails(() => store.putIfAbsent("a/b", BODY), outcome, message);
  await fails(() => store.put("a/b", BODY), outcome, message);
  await fails(() => store.get("a/b", undefined), outcome, message);
  await fails(() => store.delete(["a/b"]), outcome, message);
  await fails(() => store.delete(["a/b", "a/c"]), outcome, message);
  await fails(() => Array.fromAsync(store.list("a/", undefined)), outcome, message);
}

both("says which setting is wrong", async ({ options, open }) => {
  const keys = options.keys!;
  const unknown = await open({ keys: { ...keys, accessKeyId: "nobody" } });
  await allFail(
    unknown,
    "fatal",
    /access key: correct KAFSCALE_S3_ACCESS_KEY .*InvalidAccessKeyId/,
  );
  const secret = await open({ keys: { ...keys, secretAccessKey: "not the secret" } });
  await allFail(secret, "fatal", /correct KAFSCALE_S3_SECRET_KEY .*SignatureDoesNotMatch/);
  const bucket = await open({ bucket: "no-such-bucket" });
  await allFail(bucket, "fatal", /the bucket no-such-bucket does not exist: create it or correct/);
  const region = await open({ region: "mars-north-1" });
  await allFail(region, "fatal", /another region: correct KAFSCALE_S3_REGION/);
  await fails(() => region.get("a", undefined), "fatal", /, region us-east-1\)$/);
});

both("says what is denied", async ({ minio, options, open }) => {
  const keys = await temporaryKeys(minio, {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::*"] }],
  });
  const store = await open({ keys });
  await fails(() => store.put("a", BODY), "fatal", /access denied: allow .* on the bucket test-/);
  await (await open()).put("a", BODY);
  assertEquals((await store.get("a", undefined))?.length, 4);
  assertEquals(options.bucket.startsWith("test-"), true);
});

both("takes temporary keys with a session token", async ({ minio, open }) => {
  const keys = await temporaryKeys(minio);
  const store = await open({ keys });
  assertEquals(await store.putIfAbsent("a", BODY), "created");
  assertEquals((await store.get("a", undefined))?.length, 4);
  assertEquals((await Array.fromAsync(store.list("", undefined))).length, 1);
  await store.delete(["a", "b"]);
  const wrong = await open({ keys: { ...keys, sessionToken: keys.sessionToken + "x" } });
  const error = await assertRejects(() => wrong.put("a", BODY), StoreError);
  assertEquals(error.outcome, "fatal");
});

both("works with a clock that is hours wrong", async ({ open }) => {
  const clock = { ...runtime.clock, wallMs: () => Date.now() - 5 * 3_600_000 };
  for (const first of ["list", "put"]) {
    const store = await open({ runtime: { ...runtime, clock } });
    if (first === "list") await Array.fromAsync(store.list("", undefined));
    assertEquals(await store.putIfAbsent(first, BODY), "created");
    assertEquals((await store.get(first, undefined))?.length, 4);
    await store.delete([first, "other"]);
    assertEquals(await Array.fromAsync(store.list("", undefined)), []);
  }
});

both("is retriable while it is down, and works again without a new store", async (scene) => {
  const { minio, open } = scene;
  const store = await open();
  await store.put("before", BODY);
  await minio.kill();
  await allFail(
    store,
    "retry",
    /cannot connect to 127.0.0.1:\d+: start the store or correct KAFSC/,
  );
  await minio.restart();
  assertEquals((await store.get("before", undefined))?.length, 4);
  assertEquals(await store.putIfAbsent("after", BODY), "created");

  await minio.pause();
  const slow = await open({ timeoutMs: 150 });
  const started = performance.now();
  await allFail(slow, "retry", /did not answer within 150 ms/);
  assert(performance.now() - started < 3_000);
  const waiting = store.get("before", undefined);
  minio.resume();
  assertEquals((await waiting)?.length, 4);
  assertEquals((await slow.get("after", undefined))?.length, 4);
}, true);

both("fails calls under way when it is killed", async ({ minio, open }) => {
  const store = await open();
  const large = Array.from({ length: 16 }, () => new Uint8Array(4 * MIB));
  const writing = fails(() => store.putIfAbsent("large", large), "retry", /^create large: .*ended/);
  await new Promise((later) => setTimeout(later, 5));
  await minio.kill();
  await writing;
  await minio.restart();
  const found = await store.get("large", { start: 0, end: 10 });
  assertEquals(found, undefined);
}, true);

/** DESIGN 4: a body is not read any more once its call has settled. */
both("never stores what a given-up body's buffers held later", async ({ minio, open }) => {
  const store = await open();
  await store.put("warm", BODY);
  // what a socket takes at once; a little more, so that the last write waits; far more
  const bodies = [[MIB >> 4], [MIB], [4 * MIB], [9 * MIB / 2], Array(8).fill(MIB)];
  for (const [index, parts] of bodies.entries()) {
    const key = `given-up/${index}`;
    const body = parts.map((length) => new Uint8Array(length).fill(1));
    const size = body.reduce((sum, part) => sum + part.length, 0);
    const abort = new AbortController();
    await minio.pause();
    const call = assertRejects(
      () => store.putIfAbsent(key, body, { signal: abort.signal }),
      StoreError,
      "aborted",
    );
    await new Promise((later) => setTimeout(later, 60));
    const aborted = performance.now();
    abort.abort();
    await call;
    assert(performance.now() - aborted < 100);
    for (const part of body) part.fill(2);
    minio.resume();
    await new Promise((later) => setTimeout(later, 200));
    const found = await store.get(key, undefined);
    assert(found === undefined || found.every((byte) => byte === 1), `${size} bytes`);
    if (found !== undefined) assertEquals(found.length, size);
  }
}, true);

both("keeps one connection for calls that follow each other", async ({ open }) => {
  const store = await open();
  const part = new Uint8Array(300_000).fill(7);
  for (let at = 0; at < 20; at++) {
    await store.putIfAbsent(`k/${at}`, [part]);
    assertEquals((await store.get(`k/${at}`, { start: 5, end: 200_000 }))?.length, 199_995);
    assertEquals(await store.get("k/none", undefined), undefined);
    assertEquals(await store.putIfAbsent(`k/${at}`, BODY), "exists");
  }
  assertEquals((await Array.fromAsync(store.list("k/", undefined))).length, 20);
  await store.delete(["k/1", "k/2"]);
  assertEquals((store as BucketStore).options.wire.pool.opened, 1);
});

both("lists and deletes keys that look like numbers or that XML cannot carry", async ({ open }) => {
  const store = await open();
  const keys = [
    "007",
    "1e5",
    "0x1f",
    "-1",
    "+1",
    ".5",
    "12",
    "n/1\u0001x",
    "n/tab\there",
    "n/&<>'\"",
  ];
  for (const key of keys) await store.put(key, BODY);
  const listed = (await Array.fromAsync(store.list("", undefined))).map((info) => info.key);
  assertEquals(listed, keys.toSorted());
  await store.delete([...keys, "n/absent"]);
  assertEquals(await Array.fromAsync(store.list("", undefined)), []);
});

Deno.test({
  name: "object store drivers encrypt with the KMS key that is set",
  ignore: shared === undefined,
  fn: async () => {
    const key = btoa("0123456789abcdef0123456789abcdef");
    await using minio = await Minio.start({ MINIO_KMS_SECRET_KEY: `log-key:${key}` });
    for (const open of Object.values(DRIVERS)) {
      const options = { ...bucketOn(minio, await minio.bucket()), kmsKey: "log-key" };
      const store = await open(options);
      assertEquals(await store.putIfAbsent("created", BODY), "created");
      await store.put("put", BODY);
      for (const name of ["created", "put"]) {
        const path = `/${options.bucket}/${name}`;
        const { headers, status } = await send(minio, { method: "HEAD", path });
        assertEquals([status, headers.get("x-amz-server-side-encryption")], [200, "aws:kms"]);
        assertMatch(headers.get("x-amz-server-side-encryption-aws-kms-key-id")!, /log-key$/);
        assertEquals((await store.get(name, undefined))?.length, 4);
      }
      await store.close();
      const other = await open({ ...options, kmsKey: "no-such-key" });
      await fails(() => other.put("a", BODY), "fatal", /^write a: .*key ID does not exist/);
      await other.close();
    }
  },
});
