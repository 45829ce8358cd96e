/** What a repair does: it deletes what nobody needs and makes indexes anew. Safe to do twice. */
import { MalformedError } from "../bytes/mod.ts";
import {
  encodeIndex,
  SEGMENT_FOOTER_BYTES,
  SEGMENT_HEADER_BYTES,
  thinnedIndex,
} from "../storage/segment/mod.ts";
import { BodyScan } from "./body_scan.ts";
import type { Bucket } from "./bucket.ts";
import type { Finding, Repair, Repaired } from "./finding.ts";

const DELETE_BATCH = 500;

/** Undefined: nothing could be done after all. */
export async function repair(bucket: Bucket, found: Finding): Promise<Repaired | undefined> {
  if (found.repair === undefined) return undefined;
  const text = await act(bucket, found.repair);
  return text === undefined ? undefined : { code: found.code, key: found.key, text };
}

async function act(bucket: Bucket, repair: Repair): Promise<string | undefined> {
  switch (repair.kind) {
    case "delete":
      await bucket.delete(repair.keys);
      return repair.keys.length === 1 ? "deleted" : "deleted with its index";
    case "delete-prefix":
      return `${await deletePrefix(bucket, repair.prefix)} objects deleted`;
    case "rebuild-index":
      return await rebuildIndex(bucket, repair);
  }
}

async function deletePrefix(bucket: Bucket, prefix: string): Promise<number> {
  let count = 0;
  let keys: string[] = [];
  for await (const { key } of bucket.list(prefix)) {
    keys.push(key);
    count++;
    if (keys.length < DELETE_BATCH) continue;
    await bucket.delete(keys);
    keys = [];
  }
  await bucket.delete(keys);
  return count;
}

async function rebuildIndex(
  bucket: Bucket,
  { segmentKey, indexKey, size, intervalBytes }: Extract<Repair, { kind: "rebuild-index" }>,
): Promise<string | undefined> {
  const index = thinnedIndex(intervalBytes);
  const scan = new BodyScan(SEGMENT_HEADER_BYTES, false, ({ header, position }) => {
    index.add(header.baseOffset, position);
  });
  try {
    const end = size - SEGMENT_FOOTER_BYTES;
    const take = (piece: Uint8Array) => scan.take(piece);
    if (!await bucket.read(segmentKey, SEGMENT_HEADER_BYTES, end, take)) return undefined;
    scan.end();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
  await bucket.put(indexKey, [encodeIndex(index.entries, intervalBytes)]);
  return `made anew from its segment, with ${index.entries.length} entries`;
}
