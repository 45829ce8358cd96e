/**
 * Metadata snapshots in the bucket, beside the records that they belong to:
 *
 *     <prefix>/<namespace>/metadata-<UTC time %Y%m%dT%H%M%S%3NZ>.ksms     (core/metadata/
 *                                                                         snapshot_format.ts)
 */
import type { MetadataStore } from "../../core/metadata/metadata_store.ts";
import { markRestored } from "../../core/metadata/generation.ts";
import { decodeSnapshot, type SnapshotEntry } from "../../core/metadata/snapshot_format.ts";
import type { ObjectInfo, ObjectStore } from "../../core/storage/object_store.ts";

/** Where a cluster's snapshots are. */
export interface SnapshotPlace {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly namespace: string;
}

export interface SnapshotInfo extends ObjectInfo {
  /** Unix time in milliseconds, out of the key. */
  readonly createdMs: number;
}

/** Writes a snapshot as of now; its key. Never overwrites one. */
export async function createSnapshot(
  place: SnapshotPlace,
  metadata: Pick<MetadataStore, "snapshot">,
  nowMs: number,
): Promise<SnapshotInfo> {
  const body = await Array.fromAsync(metadata.snapshot());
  for (let createdMs = nowMs;; createdMs++) {
    const key = folder(place) + fileName(createdMs);
    const size = body.reduce((sum, part) => sum + part.length, 0);
    if (await place.store.putIfAbsent(key, body) === "created") return { key, size, createdMs };
  }
}

/** All snapshots of the cluster, oldest first. */
export async function listSnapshots(place: SnapshotPlace): Promise<SnapshotInfo[]> {
  const found: SnapshotInfo[] = [];
  const prefix = folder(place);
  for await (const { key, size } of place.store.list(prefix, undefined)) {
    const createdMs = timeOf(key.slice(prefix.length));
    if (createdMs !== undefined) found.push({ key, size, createdMs });
  }
  return found;
}

/** Deletes all but the `keep` newest; those that were deleted. */
export async function dropOldSnapshots(place: SnapshotPlace, keep: number): Promise<string[]> {
  const all = await listSnapshots(place);
  const old = all.slice(0, Math.max(0, all.length - keep)).map(({ key }) => key);
  if (old.length > 0) await place.store.delete(old);
  return old;
}

/** The entries of a snapshot; throws a fatal MetadataError unless it is whole and intact. */
export function readSnapshot(bytes: Uint8Array): Promise<SnapshotEntry[]> {
  return decodeSnapshot(ReadableStream.from([bytes]));
}

/**
 * Replaces everything in `metadata`, while no broker runs; nothing changes when the snapshot is
 * damaged. The next broker that starts looks after what must not go back with it, as the bucket
 * tells: docs/decisions/0011.
 */
export async function restoreSnapshot(metadata: MetadataStore, bytes: Uint8Array): Promise<void> {
  await metadata.restore(ReadableStream.from([bytes]));
  await markRestored(metadata);
}

/** How many keys there are below each first part of a key. */
export function countByKind(entries: readonly SnapshotEntry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { key } of entries) {
    const kind = key.startsWith("topics/") ? key.split("/", 2).join("/") : key.split("/", 1)[0]!;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function folder({ prefix, namespace }: SnapshotPlace): string {
  return `${prefix}/${namespace}/`;
}

function fileName(createdMs: number): string {
  return `metadata-${new Date(createdMs).toISOString().replaceAll(/[-:.]/g, "")}.ksms`;
}

function timeOf(name: string): number | undefined {
  const match = /^metadata-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.ksms$/.exec(name);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, ms] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}
