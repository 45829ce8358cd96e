/** Making and protecting the snapshots' bucket, on a real MinIO and on what MinIO cannot do. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Config, defaultConfig } from "../../../core/config/mod.ts";
import { systemRuntime } from "../../../core/runtime/system.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { openSnapshotBucket } from "../../../drivers/mod.ts";
import { keptLog } from "../../plugin/scene.ts";
import { minioForFile } from "../../services/minio.ts";
import { send } from "../../services/signed_request.ts";

const minio = await minioForFile("bucket_admin");

const AT = {
  s3Bucket: "logs",
  s3AccessKey: "kafscale-test",
  s3SecretKey: "kafscale-test-secret",
  operatorEtcdSnapshotBucket: "snapshots",
  operatorEtcdSnapshotCreateBucket: true,
  operatorEtcdSnapshotProtectBucket: true,
};

async function open(config: Partial<Config>) {
  const log = keptLog();
  const options = { config: defaultConfig(config), runtime: systemRuntime(log) };
  const bucket = await openSnapshotBucket(options);
  return { bucket, warnings: () => log.lines.filter(({ level }) => level === "warn") };
}

if (minio !== undefined) {
  for (const storage of ["s3", "minio"] as const) {
    const name = `own-${storage}`;
    const at = {
      ...AT,
      storage,
      s3Endpoint: minio.endpoint,
      operatorEtcdSnapshotBucket: name,
    };

    Deno.test(`prepare() makes a bucket that keeps versions (${storage})`, async () => {
      const { bucket, warnings } = await open(at);
      await assertRejects(() => bucket!.store.get("a", undefined), StoreError, "does not exist");
      await bucket!.prepare();
      await bucket!.prepare();
      const query = { versioning: "" };
      const asked = await send(minio, { method: "GET", path: `/${name}`, query });
      assertMatch(await asked.text(), /<Status>Enabled<\/Status>/);
      assertEquals(await bucket!.store.putIfAbsent("a", [new Uint8Array(3)]), "created");
      assertEquals(warnings().map(({ fields }) => fields), [{ bucket: name }]);
      await bucket!.store.close();
      // a restart finds it made
      const again = await open(at);
      await again.bucket!.prepare();
      await again.bucket!.store.close();
    });
  }

  Deno.test("prepare() leaves a bucket as it is unless it is asked to do more", async () => {
    const name = await minio.bucket();
    const { bucket, warnings } = await open({
      ...AT,
      s3Endpoint: minio.endpoint,
      operatorEtcdSnapshotBucket: name,
      operatorEtcdSnapshotProtectBucket: false,
    });
    await bucket!.prepare();
    const query = { versioning: "" };
    const asked = await send(minio, { method: "GET", path: `/${name}`, query });
    assertEquals(/Enabled/.test(await asked.text()), false);
    assertEquals(warnings(), []);
    await bucket!.store.close();
  });

  Deno.test("prepare() names the setting that is wrong", async () => {
    const wrong = { ...AT, s3Endpoint: minio.endpoint, s3SecretKey: "another-secret" };
    const { bucket } = await open(wrong);
    await assertRejects(() => bucket!.prepare(), StoreError);
    await assertRejects(
      () => bucket!.store.get("a", undefined),
      StoreError,
      "the secret key is wrong: correct KAFSCALE_S3_SECRET_KEY",
    );
    await bucket!.store.close();
    const missing = await open({
      ...AT,
      s3Endpoint: minio.endpoint,
      operatorEtcdSnapshotCreateBucket: false,
      operatorEtcdSnapshotBucket: "nowhere",
    });
    await assertRejects(
      () => missing.bucket!.prepare(),
      StoreError,
      "the bucket nowhere does not exist: create it, set " +
        "KAFSCALE_OPERATOR_ETCD_SNAPSHOT_CREATE_BUCKET, or correct " +
        "KAFSCALE_OPERATOR_ETCD_SNAPSHOT_BUCKET",
    );
    await missing.bucket!.store.close();
  });
}

/** An S3 that knows public access blocks, or takes them without keeping them. */
function blockingServer(keeps: boolean) {
  const seen: string[] = [];
  const flag = (name: string) => `<${name}>${keeps}</${name}>`;
  const kept = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    .map(flag).join("");
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (asked) => {
      const { pathname, search } = new URL(asked.url);
      seen.push(`${asked.method} ${pathname}${search}`);
      await asked.text();
      const block = asked.method === "GET" && search.includes("publicAccessBlock");
      const body = `<PublicAccessBlockConfiguration>${kept}</PublicAccessBlockConfiguration>`;
      return new Response(block ? body : null);
    },
  );
  return { seen, server, endpoint: `http://127.0.0.1:${server.addr.port}` };
}

Deno.test("prepare() turns public access off, and warns where that was not kept", async () => {
  for (const keeps of [true, false]) {
    const { seen, server, endpoint } = blockingServer(keeps);
    const { bucket, warnings } = await open({ ...AT, operatorEtcdSnapshotS3Endpoint: endpoint });
    await bucket!.prepare();
    assertEquals(seen, [
      "HEAD /snapshots/",
      "PUT /snapshots/?versioning=",
      "PUT /snapshots/?publicAccessBlock=",
      "GET /snapshots/?publicAccessBlock=",
    ]);
    assertEquals(warnings().length, keeps ? 0 : 1);
    await bucket!.store.close();
    await server.shutdown();
  }
});

Deno.test("openSnapshotBucket() is for another bucket or endpoint than the log's", async () => {
  const none = {
    s3Bucket: "logs",
    s3Endpoint: "http://127.0.0.1:9",
    s3AccessKey: "a",
    s3SecretKey: "b",
  };
  assertEquals((await open(none)).bucket, undefined);
  const same = { ...none, operatorEtcdSnapshotBucket: "logs" };
  assertEquals((await open(same)).bucket, undefined);
  const elsewhere = await open({
    ...none,
    operatorEtcdSnapshotS3Endpoint: "http://127.0.0.1:8",
  });
  await assertRejects(
    () => elsewhere.bucket!.store.get("a", undefined),
    StoreError,
    "correct KAFSCALE_OPERATOR_ETCD_SNAPSHOT_S3_ENDPOINT",
  );
  await elsewhere.bucket!.store.close();
  await assertRejects(
    () => open({ ...same, operatorEtcdSnapshotProtectBucket: true }),
    Error,
    "would keep all that the log deletes",
  );
});
