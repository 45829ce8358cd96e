/** The messages of etcd's API that are used here, as etcd3 hands them over: int64 as text. */
import type { Entry } from "../../../core/metadata/metadata_store.ts";
import type { Answer } from "./connection.ts";
import type { Generation, Keyspace } from "./keyspace.ts";

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly mod_revision: string;
  /** "0": not under a lease. */
  readonly lease: string;
}

export interface RangeAnswer extends Answer {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export interface TxnAnswer extends Answer {
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range?: RangeAnswer | null }[];
}

export interface WatchAnswer extends Answer {
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not "0": the watch asked for revisions before this one, which are gone. */
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: "Put" | "Delete"; readonly kv: KeyValue }[];
}

export interface LeaseAnswer extends Answer {
  readonly ID: string;
  /** Seconds; "0" or less: the lease is gone. */
  readonly TTL: string;
}

/** A copy: the client's arrays are pieces of whole messages. */
export function entryOf(keys: Keyspace, generation: Generation, kv: KeyValue): Entry {
  return {
    key: keys.name(generation, kv.key),
    value: new Uint8Array(kv.value),
    revision: Number(kv.mod_revision),
  };
}

/** A comparison of a key's last write. etcd3 takes names that it doesn't know for the first one. */
export function compareRevision(key: Uint8Array, revision: number) {
  return { key, target: "Mod", result: "Equal", mod_revision: String(revision) } as const;
}
