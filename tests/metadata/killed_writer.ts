/** Commits keys for ever and prints each one once it is acknowledged; its parent kills it. */
import { openEmbeddedMetadata } from "../../drivers/metadata/embedded/driver.ts";

const store = await openEmbeddedMetadata({ dataDir: Deno.env.get("DATA_DIR")! });
const round = Deno.env.get("ROUND")!;
const encoder = new TextEncoder();
const lease = await store.lease(5_000);
await store.commit({ if: [], then: [{ put: "leased", value: new Uint8Array(1), lease }] });

async function write(worker: number): Promise<void> {
  for (let at = 0;; at++) {
    const key = `k/${round}/${worker}/${at}`;
    await store.commit({ if: [], then: [{ put: key, value: new Uint8Array(2000) }] });
    Deno.stdout.writeSync(encoder.encode(`${key}\n`));
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => write(worker)));
