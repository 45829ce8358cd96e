/** A broker refuses to start on a bucket that it cannot use, in one sentence (I12). */
import { assertEquals, assertMatch } from "@std/assert";
import { minioForFile } from "../services/minio.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { cli, startBroker, withDirectory } from "./run_cli.ts";

const minio = await minioForFile("start on a bucket");

function refuses(criterion: string, settings: Record<string, string>, sentence: RegExp): void {
  for (const driver of ["s3", "minio"]) {
    Deno.test({
      name: `start refuses ${criterion} (${driver})`,
      ignore: minio === undefined,
      fn: () =>
        withDirectory(async (dir) => {
          const env = {
            ...minio!.settings(await minio!.bucket()),
            KAFSCALE_STORAGE: driver,
            KAFSCALE_DATA_DIR: dir,
            KAFSCALE_BROKER_ADDR: "127.0.0.1:0",
            ...settings,
          };
          const { code, stderr } = await cli(["start"], { env });
          const lines = stderr.trimEnd().split("\n").filter((line) => !line.startsWith("{"));
          assertEquals([code, lines.length], [1, 1], stderr);
          assertMatch(lines[0]!, sentence);
        }),
    });
  }
}

refuses(
  "a bucket that does not exist",
  { KAFSCALE_S3_BUCKET: "no-such-bucket" },
  /the bucket no-such-bucket does not exist: create it or correct KAFSCALE_S3_BUCKET/,
);
refuses(
  "a secret key that is wrong",
  { KAFSCALE_S3_SECRET_KEY: "guessed" },
  /the secret key is wrong: correct KAFSCALE_S3_SECRET_KEY/,
);
refuses(
  "an access key that is unknown",
  { KAFSCALE_S3_ACCESS_KEY: "nobody" },
  /does not know the access key: correct KAFSCALE_S3_ACCESS_KEY/,
);
refuses(
  "a server that does not speak TLS, when the endpoint says so",
  { KAFSCALE_S3_ENDPOINT: minio?.endpoint.replace("http:", "https:") ?? "" },
  /no TLS with 127\.0\.0\.1:\d+: correct KAFSCALE_S3_ENDPOINT/,
);

Deno.test("start refuses an object store without a bucket", async () => {
  const { code, stderr } = await cli(["start"], { env: { KAFSCALE_STORAGE: "s3" } });
  assertEquals(code, 1, stderr);
  assertMatch(stderr, /storage s3 needs KAFSCALE_S3_BUCKET: set it to a bucket that exists/);
});

Deno.test({
  name: "start says that the read replica cannot be read, and serves without it",
  ignore: minio === undefined,
  fn: () =>
    withDirectory(async (dir) => {
      const env = {
        ...minio!.settings(await minio!.bucket()),
        KAFSCALE_S3_READ_BUCKET: "no-such-replica",
      };
      const broker = await startBroker(dir, [], env);
      const warned = () => broker.log.find(({ msg }) => /read replica cannot/.test(String(msg)));
      try {
        const warning = await waitUntil("the warning", warned);
        assertMatch(JSON.stringify(warning), /no-such-replica does not exist/);
      } finally {
        assertEquals(await broker.stop(), 0);
      }
    }),
});
