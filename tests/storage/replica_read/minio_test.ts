/** Read replicas as the settings name them: two buckets of a real MinIO, the second one behind. */
import { assertEquals } from "@std/assert";
import { defaultConfig } from "../../../core/config/mod.ts";
import { openStore } from "../../../drivers/mod.ts";
import { minioForFile } from "../../services/minio.ts";
import { bucketOn, DRIVERS, runtime } from "../bucket_stores.ts";

const minio = await minioForFile("read replicas");

for (const driver of minio === undefined ? [] : ["s3", "minio"] as const) {
  Deno.test(`${driver}: the read bucket comes first, the bucket where that is behind`, async () => {
    const [bucket, readBucket] = [await minio!.bucket(), await minio!.bucket()];
    const store = await openStore({
      runtime,
      config: defaultConfig({
        storage: driver,
        s3Bucket: bucket,
        s3Endpoint: minio!.endpoint,
        s3AccessKey: minio!.accessKey,
        s3SecretKey: minio!.secretKey,
        s3ReadBucket: readBucket,
      }),
    });
    const replica = await DRIVERS[driver](bucketOn(minio!, readBucket));
    try {
      const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
      const body = (value: string) => [new TextEncoder().encode(value)];
      assertEquals(await store.putIfAbsent("a", body("primary")), "created");
      assertEquals(text(await store.get("a", undefined, { staleOk: true })), "primary");
      assertEquals([store.replica!.reads, store.replica!.misses], [1, 1]);
      await replica.put("a", body("replica"));
      assertEquals(text(await store.get("a", undefined, { staleOk: true })), "replica");
      assertEquals(text(await store.get("a", undefined)), "primary");
      assertEquals([store.replica!.reads, store.replica!.misses], [2, 1]);
    } finally {
      await store.close();
      await replica.close();
    }
  });
}
