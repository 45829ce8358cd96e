/** Where the s3 driver sends its requests, as the SDK would; nothing is sent here. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { StoreError } from "../../../core/storage/object_store.ts";
import { openS3Store, type S3StoreOptions } from "../../../drivers/storage/s3/driver.ts";
import type { BucketStore } from "../../../drivers/storage/s3_wire/bucket_store.ts";
import { bucketOn } from "../bucket_stores.ts";

const AWS: S3StoreOptions = {
  ...bucketOn({ endpoint: "", accessKey: "a", secretKey: "b" }, "logs"),
  endpoint: undefined,
  pathStyle: false,
};

/** `https://host:port/path region`. */
async function target(changes: Partial<S3StoreOptions>): Promise<string> {
  const store = await openS3Store({ ...AWS, ...changes }) as BucketStore;
  const { wire, pathPrefix } = store.options;
  const { server: { tls, hostname, port }, region } = wire.options;
  await store.close();
  return `${tls ? "https" : "http"}://${hostname}:${port}${pathPrefix} ${region}`;
}

/** With these variables of the environment alone, of those that AWS's programs read. */
async function withEnvironment<T>(values: Record<string, string>, run: () => Promise<T>) {
  const before = Object.entries(Deno.env.toObject())
    .filter(([name]) => name.startsWith("AWS_") || name in values);
  for (const [name] of before) Deno.env.delete(name);
  for (const [name, value] of Object.entries(values)) Deno.env.set(name, value);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(values)) Deno.env.delete(name);
    for (const [name, value] of before) Deno.env.set(name, value);
  }
}

/** So that no file of whoever runs the tests is read. */
const NO_FILES = { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };

Deno.test("openS3Store() finds AWS's endpoint of a region", async () => {
  const aws = "amazonaws.com:443";
  assertEquals(
    await target({ region: "eu-west-1" }),
    `https://logs.s3.eu-west-1.${aws}/ eu-west-1`,
  );
  assertEquals(
    await target({ region: "eu-west-1", pathStyle: true }),
    `https://s3.eu-west-1.${aws}/logs/ eu-west-1`,
  );
  assertEquals(
    await target({ region: "cn-north-1" }),
    `https://logs.s3.cn-north-1.${aws.replace(":", ".cn:")}/ cn-north-1`,
  );
  const point = "arn:aws:s3:us-west-2:123456789012:accesspoint/log";
  assertEquals(
    await target({ bucket: point, region: "us-west-2" }),
    `https://log-123456789012.s3-accesspoint.us-west-2.${aws}/ us-west-2`,
  );
});

Deno.test("openS3Store() takes an endpoint with port, path and style", async () => {
  const region = "us-east-1";
  assertEquals(
    await target({ endpoint: "http://store:9000", pathStyle: true, region }),
    "http://store:9000/logs/ us-east-1",
  );
  assertEquals(
    await target({ endpoint: "https://store.example/base", pathStyle: true, region }),
    "https://store.example:443/base/logs/ us-east-1",
  );
  assertEquals(
    await target({ endpoint: "https://store.example", region }),
    "https://logs.store.example:443/ us-east-1",
  );
  assertEquals(
    await target({ endpoint: "http://[::1]:9000", pathStyle: true, region }),
    "http://::1:9000/logs/ us-east-1",
  );
});

Deno.test("openS3Store() takes region and endpoint from AWS's own configuration", async () => {
  await withEnvironment({ ...NO_FILES, AWS_REGION: "ap-south-1" }, async () => {
    assertMatch(await target({}), / ap-south-1$/);
    assertMatch(await target({ region: "eu-west-1" }), / eu-west-1$/);
  });
  await withEnvironment(NO_FILES, async () => assertMatch(await target({}), / us-east-1$/));
  const dir = await Deno.makeTempDir();
  const file = `${dir}/config`;
  await Deno.writeTextFile(file, "[profile logs]\nregion = sa-east-1\nuse_fips_endpoint = true\n");
  const profile = { ...NO_FILES, AWS_CONFIG_FILE: file, AWS_PROFILE: "logs" };
  await withEnvironment(profile, async () => {
    assertEquals(
      await target({ region: "us-east-2" }),
      "https://logs.s3-fips.us-east-2.amazonaws.com:443/ us-east-2",
    );
    assertMatch(await target({ region: undefined }), / sa-east-1$/);
  });
  const url = { ...NO_FILES, AWS_ENDPOINT_URL_S3: "http://elsewhere:9000" };
  await withEnvironment(url, async () => {
    assertEquals(await target({ pathStyle: true }), "http://elsewhere:9000/logs/ us-east-1");
  });
  await Deno.remove(dir, { recursive: true });
});

Deno.test("openS3Store() refuses buckets that cannot carry a log, in one sentence", async () => {
  for (
    const bucket of [
      "logs--use1-az4--x-s3",
      "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
      "arn:aws:sns:us-east-1:123456789012:logs",
    ]
  ) {
    const error = await assertRejects(
      () => openS3Store({ ...AWS, bucket, region: "us-east-1" }),
      StoreError,
      "KAFSCALE_S3_BUCKET",
    );
    assertEquals(error.outcome, "fatal");
    assertEquals(error.message.includes("\n"), false);
  }
});

Deno.test("openS3Store() asks AWS's chain for credentials, or says what is missing", async () => {
  const dir = await Deno.makeTempDir();
  const file = `${dir}/credentials`;
  await Deno.writeTextFile(
    file,
    "[logs]\naws_access_key_id = fromfile\naws_secret_access_key = x\naws_session_token = t\n",
  );
  const keyOf = async () => {
    const store = await openS3Store({ ...AWS, keys: undefined }) as BucketStore;
    await store.close();
    return await store.options.wire.options.credentials();
  };
  const imds = { AWS_EC2_METADATA_DISABLED: "true" };
  const environment = { AWS_ACCESS_KEY_ID: "fromenv", AWS_SECRET_ACCESS_KEY: "x" };
  await withEnvironment({ ...NO_FILES, ...imds, ...environment }, async () => {
    assertEquals((await keyOf()).accessKeyId, "fromenv");
  });
  const profile = { ...NO_FILES, ...imds, AWS_PROFILE: "logs", AWS_SHARED_CREDENTIALS_FILE: file };
  await withEnvironment(profile, async () => {
    const found = await keyOf();
    assertEquals([found.accessKeyId, found.sessionToken], ["fromfile", "t"]);
  });
  await withEnvironment({ ...NO_FILES, ...imds, HOME: dir }, async () => {
    const store = await openS3Store({ ...AWS, keys: undefined });
    const error = await assertRejects(() => store.get("k", undefined), StoreError);
    assertMatch(error.message, /no AWS credentials: set KAFSCALE_S3_ACCESS_KEY and KAFSCALE_S3_S/);
    assertEquals(error.outcome, "fatal");
    await store.close();
  });
  await Deno.remove(dir, { recursive: true });
});
