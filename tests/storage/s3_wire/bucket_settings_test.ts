import { assertEquals } from "@std/assert";
import { defaultConfig } from "../../../core/config/mod.ts";
import { primaryBucket, replicaBucket } from "../../../drivers/storage/s3_wire/bucket_settings.ts";

const PRIMARY = { s3Bucket: "logs", s3AccessKey: "a", s3SecretKey: "b", s3SessionToken: "t" };

Deno.test("primaryBucket() uses path style where there is an endpoint, unless it is told", () => {
  const style = (changes: Parameters<typeof defaultConfig>[0]) =>
    primaryBucket(defaultConfig({ ...PRIMARY, ...changes })).pathStyle;
  assertEquals(style({}), false);
  assertEquals(style({ s3Endpoint: "http://store:9000" }), true);
  assertEquals(style({ s3Endpoint: "http://store:9000", s3PathStyle: false }), false);
  assertEquals(style({ s3PathStyle: true }), true);
});

Deno.test("replicaBucket() takes from the primary what is not set of it", () => {
  assertEquals(replicaBucket(defaultConfig(PRIMARY)), undefined);
  const primary = { ...PRIMARY, s3Region: "us-east-1", s3Endpoint: "http://one:9000" };
  const named = replicaBucket(defaultConfig({ ...primary, s3ReadBucket: "copy" }))!;
  assertEquals(
    [named.bucket, named.region, named.endpoint, named.keys?.accessKeyId, named.pathStyle],
    ["copy", "us-east-1", "http://one:9000", "a", true],
  );
  const elsewhere = replicaBucket(defaultConfig({
    ...primary,
    s3ReadRegion: "eu-west-1",
    s3ReadEndpoint: "http://two:9000",
    s3ReadAccessKey: "c",
    s3ReadSecretKey: "d",
  }))!;
  assertEquals(
    [elsewhere.bucket, elsewhere.region, elsewhere.endpoint, elsewhere.settings],
    ["logs", "eu-west-1", "http://two:9000", "KAFSCALE_S3_READ_"],
  );
  // the primary's session token belongs to the primary's keys
  assertEquals(elsewhere.keys, {
    accessKeyId: "c",
    secretAccessKey: "d",
    sessionToken: undefined,
  });
});
