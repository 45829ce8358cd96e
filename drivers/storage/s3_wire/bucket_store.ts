/**
 * An `ObjectStore` in a bucket. Reading and writing objects goes over the wire directly; what is
 * rare (listing, deleting many) goes through the library of the driver, `BucketCalls`.
 */
import type {
  ByteRange,
  CallOptions,
  ObjectInfo,
  ObjectStore,
  StoreAdvice,
} from "../../../core/storage/object_store.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { canStartKey, checkKey } from "../object_key.ts";
import { RefusedError, rowOf } from "./answers.ts";
import { sentenceFor } from "./bucket_settings.ts";
import { abortedError, closedError } from "./faults.ts";
import type { HttpConnection } from "./http_connection.ts";
import type { AnswerHead } from "./http_head.ts";
import { ANSWER_BYTES_MAX, PAGE_KEYS } from "./settings.ts";
import { type Header, uriEncode } from "./signature.ts";
import type { Wire, WireCall } from "./wire.ts";

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** Where the next page starts; undefined: there is none. */
  readonly next: string | undefined;
}

export interface KeyRefusal {
  readonly key: string;
  readonly code: string;
}

/** The calls that a driver's library makes. */
export interface BucketCalls {
  /** Up to `PAGE_KEYS` objects. `next` is what the page before told. */
  list(
    from: { prefix: string; startAfter: string | undefined; next: string | undefined },
    signal: AbortSignal | undefined,
  ): Promise<ListPage>;
  /** Deletes up to `PAGE_KEYS` objects; tells those that are still there. */
  delete(keys: readonly string[], signal: AbortSignal | undefined): Promise<readonly KeyRefusal[]>;
}

export interface BucketStoreOptions {
  readonly wire: Wire;
  readonly calls: BucketCalls;
  /** Of every object's path: `/` or `/bucket/`, encoded. */
  readonly pathPrefix: string;
  /** Of the key that objects are encrypted with (SSE-KMS). */
  readonly kmsKey: string | undefined;
  readonly advice: StoreAdvice;
}

/** As often as this in a row, a denial is believed of a store that has not written yet. */
const FIRST_DENIALS = 3;

/** Keys that XML cannot carry; a batch of deletes is XML. */
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const NOT_FOR_XML = /[\x00-\x1f\x7f\ufffe\uffff]/;

export class BucketStore implements ObjectStore {
  readonly advice: StoreAdvice;
  readonly #putHeaders: readonly Header[];
  readonly #createHeaders: readonly Header[];
  #wrote = false;
  #closed = false;

  constructor(readonly options: BucketStoreOptions) {
    this.advice = options.advice;
    const { kmsKey } = options;
    this.#putHeaders = kmsKey === undefined ? [] : [
      ["x-amz-server-side-encryption", "aws:kms"],
      ["x-amz-server-side-encryption-aws-kms-key-id", kmsKey],
    ];
    this.#createHeaders = [["if-none-match", "*"], ...this.#putHeaders];
  }

  async putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<"created" | "exists"> {
    return await this.#write("create", key, body, options?.signal);
  }

  async put(key: string, body: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    await this.#write("write", key, body, options?.signal);
  }

  async get(
    key: string,
    range: ByteRange | undefined,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const start = Math.max(0, range?.start ?? 0);
    const end = range?.end ?? Infinity;
    // an empty range still tells whether there is an object
    const wanted = range === undefined ? undefined : { start, end: Math.max(end, start + 1) };
    const bytes = await this.#read(key, wanted, options?.signal, {
      take: (head, connection) => connection.body(head, end - start + 1),
      empty: new Uint8Array(0),
    });
    return end <= start ? bytes?.subarray(0, 0) : bytes;
  }

  async getInto(
    key: string,
    start: number,
    into: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<number | undefined> {
    let capacity = 0;
    for (const buffer of into) capacity += buffer.length;
    if (capacity === 0) return (await this.get(key, { start, end: start }, options))?.length;
    return await this.#read(key, { start, end: start + capacity }, options?.signal, {
      take: (head, connection) => connection.bodyInto(head, into),
      empty: 0,
    });
  }

  async *list(
    prefix: string,
    startAfter: string | undefined,
    options?: CallOptions,
  ): AsyncIterable<ObjectInfo> {
    const signal = options?.signal;
    const what = `list ${prefix}`;
    this.#check(what, signal);
    if (!canStartKey(prefix)) return;
    let next: string | undefined;
    do {
      this.#check(what, signal);
      const page = await this.options.calls.list({ prefix, startAfter, next }, signal);
      yield* page.objects;
      next = page.next;
    } while (next !== undefined);
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    const signal = options?.signal;
    for (const key of keys) checkKey(key);
    const what = `delete ${keys.length} objects`;
    this.#check(what, signal);
    const alone = keys.length === 1 ? keys : keys.filter((key) => NOT_FOR_XML.test(key));
    const batched = alone.length === 0 ? keys : keys.filter((key) => !alone.includes(key));
    for (let at = 0; at < batched.length; at += PAGE_KEYS) {
      this.#check(what, signal);
      const refused = await this.options.calls.delete(batched.slice(at, at + PAGE_KEYS), signal);
      for (const { key, code } of refused) {
        if (code === "NoSuchKey") continue;
        const [outcome, advice] = rowOf(500, code);
        const sentence = sentenceFor(advice, this.options.wire.options);
        throw new StoreError(outcome, `delete ${key}: ${sentence} (${code})`);
      }
    }
    for (const key of alone) await this.#deleteOne(key, signal);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.options.wire.close();
    return Promise.resolve();
  }

  #check(what: string, signal: AbortSignal | undefined): void {
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw abortedError(what, signal);
  }

  #path(key: string): string {
    return this.options.pathPrefix + uriEncode(key, "/");
  }

  async #write(
    verb: "create" | "write",
    key: string,
    body: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<"created" | "exists"> {
    const { wire } = this.options;
    const what = `${verb} ${key}`;
    checkKey(key);
    this.#check(what, signal);
    let bytes = 0;
    for (const part of body) bytes += part.length;
    const headers = verb === "create" ? this.#createHeaders : this.#putHeaders;
    const request = {
      method: "PUT",
      path: this.#path(key),
      query: "",
      headers: [["content-length", `${bytes}`] as Header, ...headers],
    };
    const call: WireCall<"created" | "exists"> = {
      what,
      request,
      body,
      repeatable: verb === "write",
      urgent: true,
      receive: async (head, connection) => {
        if (head.status === 412 && verb === "create") {
          await connection.body(head, ANSWER_BYTES_MAX);
          return "exists";
        }
        if (head.status !== 200) throw await wire.refused(what, head, connection);
        await connection.body(head, ANSWER_BYTES_MAX);
        this.#wrote = true;
        return "created";
      },
    };
    for (let denials = 1;; denials++) {
      try {
        return await wire.call(call, signal);
      } catch (error) {
        if (!isDenial(error)) throw error;
        if (this.#wrote) throw passing(error);
        if (denials === FIRST_DENIALS) throw error;
      }
    }
  }

  async #read<T>(
    key: string,
    range: { start: number; end: number } | undefined,
    signal: AbortSignal | undefined,
    body: { take: (head: AnswerHead, connection: HttpConnection) => Promise<T>; empty: T },
  ): Promise<T | undefined> {
    const { wire } = this.options;
    const what = `read ${key}`;
    checkKey(key);
    this.#check(what, signal);
    const request = {
      method: "GET",
      path: this.#path(key),
      query: "",
      headers: range === undefined ? [] : [["range", rangeHeader(range)]] as Header[],
    };
    return await wire.call({
      what,
      request,
      body: [],
      repeatable: true,
      receive: async (head, connection) => {
        if (head.status === 206) return await body.take(head, connection);
        if (head.status === 200) {
          if (range !== undefined) refuseWhole(what, range, head);
          return await body.take(head, connection);
        }
        if (head.status === 416) {
          await connection.body(head, ANSWER_BYTES_MAX);
          return body.empty;
        }
        if (head.status !== 404) throw await wire.refused(what, head, connection);
        const error = await wire.refused(what, head, connection);
        if (error.code === "NoSuchKey") return undefined;
        throw error;
      },
    }, signal);
  }

  async #deleteOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    const { wire } = this.options;
    const what = `delete ${key}`;
    const request = { method: "DELETE", path: this.#path(key), query: "", headers: [] };
    await wire.call({
      what,
      request,
      body: [],
      repeatable: true,
      receive: async (head, connection) => {
        if (head.status !== 200 && head.status !== 204) {
          const error = await wire.refused(what, head, connection);
          if (error.code === "NoSuchKey") return;
          throw error;
        }
        await connection.body(head, ANSWER_BYTES_MAX);
      },
    }, signal);
  }
}

/**
 * MinIO denies access to a create that meets the removal of the folder it goes into, one in a
 * thousand or so. Who could write before is not turned away for good; who could not yet is, when
 * its first write was denied `FIRST_DENIALS` times.
 */
function isDenial(error: unknown): error is RefusedError {
  return error instanceof RefusedError && error.code === "AccessDenied";
}

function passing(error: RefusedError): RefusedError {
  const { message, status, code, storeMs } = error;
  return new RefusedError("retry", `${message}, after writes that it took`, status, code, storeMs);
}

function rangeHeader({ start, end }: { start: number; end: number }): string {
  return end > Number.MAX_SAFE_INTEGER - 1 ? `bytes=${start}-` : `bytes=${start}-${end - 1}`;
}

/** A whole object in place of a range is fine where it is no more than the range. */
function refuseWhole(what: string, range: { start: number; end: number }, head: AnswerHead): void {
  const { length } = head;
  if (range.start === 0 && typeof length === "number" && length <= range.end) return;
  throw new StoreError("fatal", `${what}: the store ignores ranges; use one that has them`);
}
