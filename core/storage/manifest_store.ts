import type { CallOptions, ObjectStore } from "./object_store.ts";
import { manifestKey, manifestPrefix, sequenceOfKey } from "./keys.ts";
import { decodeManifest, encodeManifest, type Manifest } from "./manifest.ts";

/** Manifests that are kept behind the newest one, for readers that still hold the former. */
const KEPT_BEHIND = 1;

/**
 * The newest manifest below `prefix` (a partition's directory), undefined where there is none; and
 * the keys of those that nobody needs any more.
 */
export async function loadNewestManifest(
  store: ObjectStore,
  prefix: string,
  options?: CallOptions,
): Promise<{ manifest: Manifest | undefined; stale: string[] }> {
  for (;;) {
    const keys: string[] = [];
    for await (const { key } of store.list(manifestPrefix(prefix), undefined, options)) {
      if (sequenceOfKey(key) !== undefined) keys.push(key);
    }
    if (keys.length === 0) return { manifest: undefined, stale: [] };
    const bytes = await store.get(keys.at(-1)!, undefined, options);
    // A newer one was made, and this one deleted, between the two calls: look again.
    if (bytes === undefined) continue;
    return { manifest: decodeManifest(bytes), stale: keys.slice(0, -1 - KEPT_BEHIND) };
  }
}

/**
 * Creates the manifest of its sequence; "exists" when a rival was first (reload and go on from it).
 * Our own earlier attempt whose reply was lost counts as "created".
 *
 * A create that succeeds is no proof: rivals may have come and gone on, and deleted the manifest of
 * this sequence when they were two further. The newest one is never deleted, so if nothing newer is
 * there once ours is, ours is the newest.
 */
export async function createManifest(
  store: ObjectStore,
  prefix: string,
  manifest: Manifest,
  options?: CallOptions,
): Promise<"created" | "exists"> {
  const key = manifestKey(prefix, manifest.sequence);
  const bytes = encodeManifest(manifest);
  const outcome = await store.putIfAbsent(key, [bytes], options);
  if (outcome === "exists") {
    const found = await store.get(key, undefined, options);
    const ours = found !== undefined && found.length === bytes.length &&
      found.every((byte, index) => byte === bytes[index]);
    if (!ours) return "exists";
  }
  for await (const newer of store.list(manifestPrefix(prefix), key, options)) {
    if (sequenceOfKey(newer.key) !== undefined) return "exists";
  }
  return "created";
}

/** Keys of the manifests that `sequence` made superfluous. */
export function superseded(prefix: string, sequence: number): string[] {
  const last = sequence - 1 - KEPT_BEHIND;
  return last < 0 ? [] : [manifestKey(prefix, last)];
}
