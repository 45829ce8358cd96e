/** `tls_client.ts ENDPOINT BUCKET`: uses a bucket over TLS and says how it went, as JSON. */
import { StoreError } from "../../../core/storage/object_store.ts";
import type { BucketStore } from "../../../drivers/storage/s3_wire/bucket_store.ts";
import { bucketOn, DRIVERS } from "../bucket_stores.ts";

const [endpoint, bucket, accessKey, secretKey] = Deno.args as [string, string, string, string];

async function use(name: keyof typeof DRIVERS): Promise<unknown> {
  const store = await DRIVERS[name](bucketOn({ endpoint, accessKey, secretKey }, bucket));
  try {
    const body = Array.from({ length: 8 }, (_, at) => new Uint8Array(1 << 20).fill(at));
    const created = await store.putIfAbsent(`${name}/large`, body);
    const again = await store.putIfAbsent(`${name}/large`, body);
    const into = [new Uint8Array(1 << 20), new Uint8Array(3 << 20)];
    const bytes = await store.getInto!(`${name}/large`, 1 << 20, into);
    const whole = await store.get(`${name}/large`, undefined);
    const abort = new AbortController();
    const given = store.putIfAbsent(`${name}/given-up`, body, { signal: abort.signal });
    setTimeout(() => abort.abort(), 2);
    const outcome = await given.catch((error: StoreError) => error.outcome);
    const listed = (await Array.fromAsync(store.list(`${name}/`, undefined))).length;
    await store.delete([`${name}/large`, `${name}/given-up`]);
    return {
      created,
      again,
      bytes,
      parts: [into[0]![0], into[1]![0], into[1]!.at(-1)],
      whole: whole!.length === 8 << 20 && whole!.at(-1) === 7,
      ended: outcome === "retry" || outcome === "created",
      listed: listed <= 2,
      // an answer that came before its body had left costs one, the abort another
      connections: (store as BucketStore).options.wire.pool.opened <= 3,
    };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { outcome: error.outcome, message: error.message };
  } finally {
    await store.close();
  }
}

console.log(JSON.stringify({ s3: await use("s3"), minio: await use("minio") }));
