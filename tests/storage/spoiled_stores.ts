/** Stores that break promises, each in its own way: what the probe must find. */
import { systemLog, systemRuntime } from "../../core/runtime/system.ts";
import {
  type ByteRange,
  type CallOptions,
  type ObjectInfo,
  type ObjectStore,
  StoreError,
} from "../../core/storage/object_store.ts";
import { CALM, MemoryObjects, memoryStore } from "../../drivers/storage/memory/driver.ts";

const runtime = systemRuntime(systemLog("error", false));
const FAULTS = { ...CALM, latencyMinMs: 0.5, latencyMaxMs: 2 };

export type Body = readonly Uint8Array[];

/** A store as it should be, to be spoiled by overriding. */
export class Sound implements ObjectStore {
  readonly objects = new MemoryObjects();
  readonly inner = memoryStore(this.objects, runtime, FAULTS);
  closed = false;

  get advice() {
    return this.inner.advice;
  }

  putIfAbsent(key: string, body: Body, o?: CallOptions): Promise<"created" | "exists"> {
    return this.inner.putIfAbsent(key, body, o);
  }

  put(key: string, body: Body, o?: CallOptions): Promise<void> {
    return this.inner.put(key, body, o);
  }

  get(key: string, range: ByteRange | undefined, o?: CallOptions) {
    return this.inner.get(key, range, o);
  }

  async getInto(key: string, start: number, into: Body): Promise<number | undefined> {
    const length = into.reduce((sum, buffer) => sum + buffer.length, 0);
    const bytes = await this.get(key, { start, end: start + length });
    let at = 0;
    for (const buffer of into) {
      const part = bytes?.subarray(at, at + buffer.length) ?? new Uint8Array();
      buffer.set(part);
      at += part.length;
    }
    return bytes?.length;
  }

  list(prefix: string, after: string | undefined, o?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.inner.list(prefix, after, o);
  }

  delete(keys: readonly string[], o?: CallOptions): Promise<void> {
    return this.inner.delete(keys, o);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A handle of a store that refuses everything. */
export class Refused extends Sound {
  constructor() {
    super();
    void this.inner.close();
  }
}

export type StoreKind = new () => Sound;

/** What each of them breaks, among other things. */
export const SPOILED: Readonly<Record<string, readonly [StoreKind, ...string[]]>> = {
  "ignores the condition": [
    class extends Sound {
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        await this.inner.put(key, body, o);
        return "created" as const;
      }
    },
    "create-once",
    "one-winner",
    "lost-reply",
  ],
  "looks first and writes then": [
    class extends Sound {
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        if (await this.get(key, undefined, o) !== undefined) return "exists" as const;
        await this.inner.put(key, body, o);
        return "created" as const;
      }
    },
    "one-winner",
  ],
  "never forgets a key": [
    class extends Sound {
      readonly #known = new Set<string>();
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        if (this.#known.has(key)) return "exists" as const;
        const outcome = await this.inner.putIfAbsent(key, body, o);
        this.#known.add(key);
        return outcome;
      }
    },
    "create-again",
    "create-and-delete",
  ],
  "carries an aborted write out later, unconditionally": [
    class extends Sound {
      readonly #aborted = new Map<string, Uint8Array>();
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        const copy = body[0]!.slice();
        await new Promise((resolve) => setTimeout(resolve, 3));
        if (o?.signal?.aborted === true) {
          this.#aborted.set(key, copy);
          throw new StoreError("retry", "aborted");
        }
        const outcome = await this.inner.putIfAbsent(key, body);
        // After the next create, however slow the machine is.
        const late = this.#aborted.get(key);
        if (late !== undefined) setTimeout(() => this.objects.set(key, late), 15);
        return outcome;
      }
    },
    "late-create",
  ],
  "does not tell the first reader of a fresh object": [
    class extends Sound {
      readonly #fresh = new Set<string>();
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        const outcome = await this.inner.putIfAbsent(key, body, o);
        if (outcome === "created") this.#fresh.add(key);
        return outcome;
      }
      override async get(key: string, range: ByteRange | undefined, o?: CallOptions) {
        const hidden = this.#fresh.delete(key);
        const found = await this.inner.get(key, range, o);
        return hidden ? undefined : found;
      }
    },
    "one-winner",
    "create-again",
    "lost-reply",
    "seen-at-once",
  ],
  "refuses to replace": [
    class extends Sound {
      override async put(key: string, body: Body, o?: CallOptions) {
        await this.inner.putIfAbsent(key, body, o);
      }
    },
    "put-replaces",
  ],
  "replaces by deleting first": [
    class extends Sound {
      override async put(key: string, body: Body, o?: CallOptions) {
        await this.inner.delete([key], o);
        await this.inner.put(key, body, o);
      }
    },
    "put-is-atomic",
  ],
  "drops a body's third part": [
    class extends Sound {
      override putIfAbsent(key: string, body: Body, o?: CallOptions) {
        return this.inner.putIfAbsent(key, body.filter((_, at) => at !== 3), o);
      }
    },
    "gather",
  ],
  "reads the body late": [
    class extends Sound {
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        const outcome = await this.inner.putIfAbsent(key, body, o);
        setTimeout(() => outcome === "created" && this.objects.set(key, body[0]!), 0);
        return outcome;
      }
    },
    "buffers-are-free",
  ],
  "knows no empty objects": [
    class extends Sound {
      override async get(key: string, range: ByteRange | undefined, o?: CallOptions) {
        const found = await this.inner.get(key, range, o);
        return found?.length === 0 ? undefined : found;
      }
    },
    "empty-object",
    "put-replaces",
  ],
  "fails where nothing is": [
    class extends Sound {
      override async get(key: string, range: ByteRange | undefined, o?: CallOptions) {
        const found = await this.inner.get(key, range, o);
        if (found === undefined) throw new StoreError("fatal", "404");
        return found;
      }
    },
    "absent",
    "seen-at-once",
    "get-into",
    "no-folders",
  ],
  "takes a range's end for inclusive": [
    class extends Sound {
      override get(key: string, range: ByteRange | undefined, o?: CallOptions) {
        return this.inner.get(key, range && { ...range, end: range.end + 1 }, o);
      }
    },
    "ranges",
    "large-object",
    "get-into",
  ],
  "fills buffers from the start": [
    class extends Sound {
      override getInto(key: string, _start: number, into: Body) {
        return super.getInto(key, 0, into);
      }
    },
    "get-into",
  ],
  "cannot delete what is absent": [
    class extends Sound {
      override async delete(keys: readonly string[], o?: CallOptions) {
        if (o?.signal?.aborted !== true && keys.some((key) => key.includes("none"))) {
          throw new StoreError("fatal", "404");
        }
        await this.inner.delete(keys, o);
      }
    },
    "delete-many",
  ],
  "lists one page": [
    class extends Sound {
      override async *list(prefix: string, after: string | undefined, o?: CallOptions) {
        let count = 0;
        for await (const info of this.inner.list(prefix, after, o)) {
          if (++count <= 50) yield info;
        }
      }
    },
    "list-pages",
    "burst",
  ],
  "starts a listing with the key it should start after": [
    class extends Sound {
      override async *list(prefix: string, after: string | undefined, o?: CallOptions) {
        const size = after === undefined ? undefined : this.objects.get(after)?.length;
        if (after?.startsWith(prefix) && size !== undefined) yield { key: after, size };
        yield* this.inner.list(prefix, after, o);
      }
    },
    "list-pages",
    "list-order",
  ],
  "orders keys by UTF-16": [
    class extends Sound {
      override async *list(prefix: string, after: string | undefined, o?: CallOptions) {
        const all = await Array.fromAsync(this.inner.list(prefix, after, o));
        yield* all.sort((a, b) => a.key < b.key ? -1 : 1);
      }
    },
    "list-order",
  ],
  "takes a prefix for a folder": [
    class extends Sound {
      override async *list(prefix: string, after: string | undefined, o?: CallOptions) {
        const folder = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
        for await (const info of this.inner.list(prefix, after, o)) {
          if (info.key.startsWith(folder) || info.key === prefix) yield info;
        }
      }
    },
    "list-pages",
    "list-prefix",
  ],
  "normalizes keys": [
    class extends Sound {
      override putIfAbsent(key: string, body: Body, o?: CallOptions) {
        const plain = key.isWellFormed() ? key.normalize("NFC") : key;
        return this.inner.putIfAbsent(plain, body, o);
      }
    },
    "unicode-keys",
  ],
  "takes no long names": [
    class extends Sound {
      override putIfAbsent(key: string, body: Body, o?: CallOptions) {
        const parts = key.split("/").map((part) => new TextEncoder().encode(part).length);
        if (Math.max(...parts) > 255) throw new StoreError("fatal", "too long");
        return this.inner.putIfAbsent(key, body, o);
      }
    },
    "long-key-parts",
  ],
  "has files and folders": [
    class extends Sound {
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        for (let at = key.indexOf("/"); at > 0; at = key.indexOf("/", at + 1)) {
          if (this.objects.has(key.slice(0, at))) throw new StoreError("fatal", "no folder");
        }
        return await this.inner.putIfAbsent(key, body, o);
      }
    },
    "nested-keys",
  ],
  "deletes folders": [
    class extends Sound {
      override async delete(keys: readonly string[], o?: CallOptions) {
        const below: string[] = [];
        for (const key of keys) {
          const all = key === "" || key.endsWith("/") ? [] : this.objects.page(`${key}/`, "", 1000);
          below.push(...all.map((info) => info.key));
        }
        await this.inner.delete([...keys, ...below], o);
      }
    },
    "no-folders",
  ],
  "takes any text for a key": [
    class extends Sound {
      override async get(key: string, range: ByteRange | undefined, o?: CallOptions) {
        return await this.inner.get(key.replaceAll("//", "/").replaceAll("/./", "/"), range, o);
      }
    },
    "refused-keys",
  ],
  "does not look at the signal": [
    class extends Sound {
      override putIfAbsent(key: string, body: Body) {
        return this.inner.putIfAbsent(key, body);
      }
    },
    "aborted-before",
  ],
  "leaves half an object behind": [
    class extends Sound {
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        try {
          return await this.inner.putIfAbsent(key, body, o);
        } catch (error) {
          if (key.includes("midway")) this.objects.set(key, body[0]!.slice(0, 1000));
          throw error;
        }
      }
    },
    "aborted-midway",
  ],
  "drowns": [
    class extends Sound {
      #inFlight = 0;
      override async putIfAbsent(key: string, body: Body, o?: CallOptions) {
        this.#inFlight++;
        try {
          if (this.#inFlight > 100) throw new StoreError("fatal", "out of sockets");
          return await this.inner.putIfAbsent(key, body, o);
        } finally {
          this.#inFlight--;
        }
      }
    },
    "burst",
  ],
  "works on after its close": [
    class extends Sound {
      override close() {
        return Promise.resolve();
      }
    },
    "closed",
  ],
  "asks for a thousand uploads": [
    class extends Sound {
      override get advice() {
        return { ...this.inner.advice, parallelUploads: 1000 };
      }
    },
    "advice",
  ],
};
