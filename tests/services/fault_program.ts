/**
 * What goes wrong between a client and an object store, as data: rules say which requests suffer
 * which fault, how often, by chance from a seed. Pure: fault_proxy.ts carries it out.
 */
import { Prng } from "../simulation/prng.ts";

export type Operation = "PUT" | "GET" | "HEAD" | "LIST" | "DELETE" | "OTHER";

/** One request as an object store understands it; path-style addresses only. */
export interface S3Request {
  readonly operation: Operation;
  readonly method: string;
  readonly bucket: string;
  /** Decoded; empty where the request is about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * Error answers in S3's form, by S3's code. "RequestTimeTooSkewed" comes with a Date that is a day
 * ahead, as a store with another idea of the time would send it.
 */
export type S3ErrorCode =
  | "SlowDown"
  | "ServiceUnavailable"
  | "InternalError"
  | "OperationAborted"
  | "RequestTimeout"
  | "RequestTimeTooSkewed"
  | "AccessDenied"
  | "InvalidAccessKeyId"
  | "SignatureDoesNotMatch"
  | "NoSuchBucket";

export type Fault =
  /** Nothing is forwarded for so long. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Forwarded at once; the reply is held back for so long. */
  | { readonly kind: "delayReply"; readonly ms: number }
  /** The connection ends; nothing was forwarded. */
  | { readonly kind: "cutBefore" }
  /** Both connections end after so many bytes of the request's body. */
  | { readonly kind: "cutRequest"; readonly afterBytes: number }
  /** Forwarded and carried out; the connection ends in place of the reply. */
  | { readonly kind: "loseReply" }
  /** The connection ends at once; the request is carried out that much later. */
  | { readonly kind: "late"; readonly ms: number }
  /** Both connections end after so many bytes of the reply, its head included. */
  | { readonly kind: "cutReply"; readonly afterBytes: number }
  /** Bodies pass at this rate, in both directions. */
  | { readonly kind: "throttle"; readonly bytesPerSecond: number }
  /** Taken and never answered, nor forwarded. */
  | { readonly kind: "blackhole" }
  /** Answered with an error by the proxy itself. */
  | { readonly kind: "refuse"; readonly code: S3ErrorCode };

export interface Rule {
  readonly fault: Fault;
  /** Left out: every operation. */
  readonly on?: Operation | readonly Operation[];
  readonly key?: RegExp;
  readonly where?: (request: S3Request) => boolean;
  /** So many matching requests pass first. */
  readonly skip?: number;
  /** Strikes so often at most. */
  readonly times?: number;
  /** Of a matching request to be struck; in [0, 1]. */
  readonly chance?: number;
}

/** A rule in force. */
export interface ActiveRule {
  /** Requests that it matched, and those that it struck. */
  readonly matched: number;
  readonly struck: number;
  remove(): void;
}

interface Counted {
  readonly rule: Rule;
  matched: number;
  struck: number;
}

/** The first rule that strikes decides. */
export class FaultProgram {
  readonly #rules = new Set<Counted>();
  readonly #random: Prng;

  constructor(seed: string) {
    this.#random = new Prng(seed);
  }

  add(rule: Rule): ActiveRule {
    const counted: Counted = { rule, matched: 0, struck: 0 };
    this.#rules.add(counted);
    return {
      get matched() {
        return counted.matched;
      },
      get struck() {
        return counted.struck;
      },
      remove: () => void this.#rules.delete(counted),
    };
  }

  clear(): void {
    this.#rules.clear();
  }

  decide(request: S3Request): Fault | undefined {
    for (const counted of this.#rules) {
      const { rule } = counted;
      if (!matches(rule, request)) continue;
      if (++counted.matched <= (rule.skip ?? 0)) continue;
      if (counted.struck >= (rule.times ?? Infinity)) continue;
      if (rule.chance !== undefined && !this.#random.chance(rule.chance)) continue;
      counted.struck++;
      return rule.fault;
    }
    return undefined;
  }
}

function matches({ on, key, where }: Rule, request: S3Request): boolean {
  if (
    typeof on === "string" ? on !== request.operation : on?.includes(request.operation) === false
  ) {
    return false;
  }
  return (key?.test(request.key) ?? true) && (where?.(request) ?? true);
}

/** Reads a request line (`PUT /bucket/key?x=y HTTP/1.1`). */
export function readRequest(startLine: string, headers: S3Request["headers"]): S3Request {
  const [method = "", target = "/"] = startLine.split(" ");
  const [path = "/", search = ""] = target.split("?", 2);
  const [, bucket = "", ...parts] = path.split("/");
  const key = decodeURIComponent(parts.join("/"));
  const query = new URLSearchParams(search);
  return { operation: operationOf(method, key, query), method, bucket, key, query, headers };
}

function operationOf(method: string, key: string, query: URLSearchParams): Operation {
  if (method === "POST" && query.has("delete")) return "DELETE";
  if (key === "") return method === "GET" && query.has("prefix") ? "LIST" : "OTHER";
  return method === "PUT" || method === "GET" || method === "HEAD" || method === "DELETE"
    ? method
    : "OTHER";
}
