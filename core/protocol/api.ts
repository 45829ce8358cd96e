/** What an API is to the rest of the broker: key, versions, and a codec for each direction. */
import type { Reader, Writer } from "../bytes/mod.ts";

/**
 * A message as its sender may give it: every field may be left out, at every depth, and then takes
 * its default (0, "", false, [], or what the schema says).
 */
export type Loose<T> = T extends Uint8Array | readonly Uint8Array[] ? T
  : T extends readonly (infer Element)[] ? readonly Loose<Element>[]
  : T extends object ? { readonly [Field in keyof T]?: Loose<T[Field]> }
  : T;

/** Bytes of one message to and from its object, for every version of the API. */
export interface Codec<T> {
  /**
   * All fields are present; one that `version` lacks has its default. Throws MalformedError, and
   * nothing else, when the bytes are not such a message. Bytes after the message are left alone.
   */
  read(reader: Reader, version: number): T;
  /**
   * Fields that `version` lacks are ignored. Null for a field that cannot be null in `version` is
   * written as the empty string, array or bytes.
   */
  write(writer: Writer, value: Loose<T>, version: number): void;
}

/** One Kafka API with all the versions that this broker can speak. */
export interface Api<Request, Response> {
  readonly key: number;
  /** Kafka's name without Request/Response: `Produce`, `OffsetForLeaderEpoch`. */
  readonly name: string;
  /** The oldest version served. */
  readonly minVersion: number;
  /**
   * The oldest version that ApiVersions advertises. It differs from `minVersion` for Produce only:
   * librdkafka turns features off unless 0 is in the range (KAFKA-18659).
   */
  readonly advertisedMinVersion: number;
  /** The newest version served and advertised. */
  readonly maxVersion: number;
  /** First version with compact lengths and tagged fields (KIP-482); Infinity when none has. */
  readonly flexibleFrom: number;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

/** Any API: for lists, dispatch and tests. */
// deno-lint-ignore no-explicit-any -- an Api is invariant in its messages
export type AnyApi = Api<any, any>;

/** The request object of an API as a handler receives it: `RequestOf<typeof produce>`. */
export type RequestOf<A extends AnyApi> = A extends Api<infer Request, infer _> ? Request : never;

/** The complete response object of an API: `ResponseOf<typeof produce>`. */
export type ResponseOf<A extends AnyApi> = A extends Api<infer _, infer Response> ? Response
  : never;

/** The response object as a handler may give it, with fields left out. */
export type LooseResponseOf<A extends AnyApi> = Loose<ResponseOf<A>>;
