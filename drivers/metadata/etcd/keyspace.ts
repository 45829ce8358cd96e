/**
 * The contract's keys in etcd:
 *
 *     <prefix>/generation            decimal number of the generation that counts; absent: 1
 *     <prefix>/restoring             written by every restore: its revision names the generation
 *     <prefix>/<generation>/<key>    the key's value
 *
 * A restore writes a generation of its own and then makes it count, in one transaction: whatever
 * stops it half-way, the store is whole. Every transaction compares the generation's revision.
 */
import { concat, encodeUtf8 } from "../../../core/bytes/mod.ts";

export interface Generation {
  readonly number: number;
  /** Revision of the key that names it; 0: absent. */
  readonly revision: number;
}

/** The generation that the naming key's entry names; undefined: the key is absent. */
export function generationOf(
  kv: { readonly value: Uint8Array; readonly mod_revision: string } | undefined,
): Generation {
  if (kv === undefined) return { number: 1, revision: 0 };
  const number = Number(new TextDecoder().decode(kv.value));
  return { number, revision: Number(kv.mod_revision) };
}

export interface KeyRange {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
}

export class Keyspace {
  readonly generationKey: Uint8Array;
  readonly restoringKey: Uint8Array;
  readonly #decoder = new TextDecoder();

  constructor(private readonly prefix: string) {
    this.generationKey = encodeUtf8(`${prefix}/generation`);
    this.restoringKey = encodeUtf8(`${prefix}/restoring`);
  }

  key({ number }: Generation, key: string): Uint8Array {
    return encodeUtf8(`${this.prefix}/${number}/${key}`);
  }

  /** All keys of the generation that start with `prefix`. */
  below(generation: Generation, prefix: string): KeyRange {
    const key = this.key(generation, prefix);
    return { key, range_end: behind(key) };
  }

  /** The keys of all other generations: numbers sort between "0" and ":". */
  others(generation: Generation): KeyRange[] {
    const own = this.below(generation, "");
    return [
      { key: encodeUtf8(`${this.prefix}/0`), range_end: own.key },
      { key: own.range_end, range_end: encodeUtf8(`${this.prefix}/:`) },
    ];
  }

  /** The contract's key behind etcd's. */
  name({ number }: Generation, key: Uint8Array): string {
    return this.#decoder.decode(key).slice(`${this.prefix}/${number}/`.length);
  }
}

/** The least byte string above all that start with `key`; no byte of UTF-8 is 255. */
function behind(key: Uint8Array): Uint8Array {
  const end = key.slice();
  end[end.length - 1]!++;
  return end;
}

/** The least byte string that is greater than `key`. */
export function after(key: Uint8Array): Uint8Array {
  return concat([key, Uint8Array.of(0)]);
}
