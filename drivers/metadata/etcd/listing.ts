/** Listings in pages, all as of one revision. */
import type { Revision } from "../../../core/metadata/metadata_store.ts";
import type { Connection } from "./connection.ts";
import { EtcdFault, Status } from "./errors.ts";
import { after, type Generation, generationOf, type Keyspace } from "./keyspace.ts";
import type { KeyValue, RangeAnswer, TxnAnswer } from "./messages.ts";
import { ETCD_LIMITS } from "./settings.ts";

export interface Listing {
  readonly kvs: readonly KeyValue[];
  /** The one that counts at `revision`. */
  readonly generation: Generation;
  readonly revision: Revision;
}

/**
 * All keys below `prefix` of the generation that counts; `generation` is a guess. A listing whose
 * revision is compacted away before its last page starts over, in the end without pages.
 */
export async function listKeys(
  connection: Connection,
  keys: Keyspace,
  generation: Generation,
  prefix: string,
): Promise<Listing> {
  let guess = generation;
  let limit: number = ETCD_LIMITS.pageKeysFirst;
  for (let attempt = 1;;) {
    try {
      const listing = await listOnce(connection, keys, guess, prefix, limit);
      if ("kvs" in listing) return listing;
      guess = listing;
    } catch (error) {
      const compacted = error instanceof EtcdFault && error.code === Status.OUT_OF_RANGE;
      if (!compacted) throw error;
      if (++attempt === ETCD_LIMITS.listAttempts) limit = NO_LIMIT;
    }
  }
}

const NO_LIMIT = 0;

/** The listing, or the generation that counts in place of `generation`. */
async function listOnce(
  connection: Connection,
  keys: Keyspace,
  generation: Generation,
  prefix: string,
  firstLimit: number,
): Promise<Listing | Generation> {
  const below = keys.below(generation, prefix);
  const first = await connection.read<TxnAnswer>("KV", "txn", {
    compare: [],
    success: [
      { request_range: { key: keys.generationKey } },
      { request_range: { ...below, limit: String(firstLimit) } },
    ],
    failure: [],
  });
  const [named, front] = first.responses.map((each) => each.response_range!);
  const now = generationOf(named!.kvs[0]);
  if (now.revision !== generation.revision) return now;
  const { revision } = first.header;
  const kvs = [...front!.kvs];
  let page = front!;
  while (page.more) {
    const limit = nextLimit(page.kvs);
    page = await connection.read<RangeAnswer>("KV", "range", {
      ...below,
      key: after(kvs.at(-1)!.key),
      limit: String(limit),
      revision,
    });
    for (const kv of page.kvs) kvs.push(kv);
  }
  return { kvs, generation, revision: Number(revision) };
}

/** As many keys as a page should hold if they are like those of the page before. */
function nextLimit(kvs: readonly KeyValue[]): number {
  let bytes = 1;
  for (const { key, value } of kvs) bytes += key.length + value.length;
  const fitting = Math.floor(kvs.length * ETCD_LIMITS.pageBytes / bytes);
  return Math.min(Math.max(fitting, 1), ETCD_LIMITS.pageKeys);
}
