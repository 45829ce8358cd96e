/** The objects of one partition's directory, as a listing brings them. */
import { segmentOfKey, sequenceOfKey } from "../storage/keys.ts";
import type { Bucket } from "./bucket.ts";

export class PartitionListing {
  /** Sequences, ascending. */
  readonly manifests: number[] = [];
  /** Base offset → bytes, ascending. */
  readonly segments = new Map<number, number>();
  readonly indexes = new Set<number>();
  /** Keys that are neither. */
  readonly strangers: string[] = [];

  /** `prefix`: the partition's directory. */
  constructor(readonly prefix: string) {}

  static async read(bucket: Bucket, prefix: string): Promise<PartitionListing> {
    const listing = new PartitionListing(prefix);
    for await (const { key, size } of bucket.list(prefix)) listing.add(key, size);
    return listing;
  }

  add(key: string, size: number): void {
    const segment = segmentOfKey(key);
    const sequence = sequenceOfKey(key);
    if (segment?.kind === "kfs") this.segments.set(segment.baseOffset, size);
    else if (segment !== undefined) this.indexes.add(segment.baseOffset);
    else if (sequence !== undefined) this.manifests.push(sequence);
    else this.strangers.push(key);
  }
}
