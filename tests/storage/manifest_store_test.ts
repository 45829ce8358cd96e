import { assertEquals } from "@std/assert";
import type { Manifest } from "../../core/storage/manifest.ts";
import {
  createManifest,
  loadNewestManifest,
  superseded,
} from "../../core/storage/manifest_store.ts";
import { manifestKey } from "../../core/storage/keys.ts";
import { MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";
import { manualRuntime } from "../runtime/manual_runtime.ts";

const PREFIX = "ns/a/0/";

function manifest(sequence: number, coveredOffset = 0): Manifest {
  return {
    topicId: "AAECAwQFBgcICQoLDA0ODw",
    partition: 0,
    sequence,
    writtenMs: 0,
    coveredOffset,
    logStartOffset: 0,
    leaderEpochs: [],
    segments: [],
    removed: [],
    producers: [],
    aborted: [],
    merge: undefined,
  };
}

function setup() {
  const objects = new MemoryObjects();
  return { objects, store: memoryStore(objects, manualRuntime()) };
}

Deno.test("loadNewestManifest() is undefined where there is none", async () => {
  const { objects, store } = setup();
  objects.set(`${PREFIX}manifest-of-something-else`, new Uint8Array(3));
  assertEquals(await loadNewestManifest(store, PREFIX), { manifest: undefined, stale: [] });
});

Deno.test("loadNewestManifest() takes the greatest sequence, names the stale", async () => {
  const { store } = setup();
  for (const sequence of [7, 8, 9, 10]) await createManifest(store, PREFIX, manifest(sequence));
  const { manifest: newest, stale } = await loadNewestManifest(store, PREFIX);
  assertEquals(newest?.sequence, 10);
  assertEquals(stale, [manifestKey(PREFIX, 7), manifestKey(PREFIX, 8)]);
});

Deno.test("loadNewestManifest() looks again when the newest is deleted under it", async () => {
  const { objects, store } = setup();
  await createManifest(store, PREFIX, manifest(1));
  const get = store.get.bind(store);
  let raced = false;
  store.get = async (key, range, o) => {
    if (!raced) {
      raced = true;
      await createManifest(store, PREFIX, manifest(3));
      objects.delete(key);
    }
    return await get(key, range, o);
  };
  assertEquals((await loadNewestManifest(store, PREFIX)).manifest?.sequence, 3);
});

Deno.test("createManifest() says exists for a rival's, and created for our own again", async () => {
  const { store } = setup();
  assertEquals(await createManifest(store, PREFIX, manifest(1, 5)), "created");
  assertEquals(await createManifest(store, PREFIX, manifest(1, 5)), "created");
  assertEquals(await createManifest(store, PREFIX, manifest(1, 6)), "exists");
});

Deno.test("createManifest() says exists where rivals have deleted that sequence", async () => {
  const { objects, store } = setup();
  for (const sequence of [1, 2, 3]) await createManifest(store, PREFIX, manifest(sequence));
  objects.delete(manifestKey(PREFIX, 1));
  assertEquals(await createManifest(store, PREFIX, manifest(1, 9)), "exists");
  assertEquals((await loadNewestManifest(store, PREFIX)).manifest?.sequence, 3);
});

Deno.test("superseded() leaves the newest manifest and the one before it", () => {
  assertEquals(superseded(PREFIX, 1), []);
  assertEquals(superseded(PREFIX, 2), [manifestKey(PREFIX, 0)]);
});
