/** Properties of the codecs and headers under broken bytes. */
import { assert, assertEquals } from "@std/assert";
import { MalformedError, Reader, Writer } from "../../core/bytes/mod.ts";
import { apis } from "../../core/protocol/apis.ts";
import { RequestHeader } from "../../core/protocol/request_header.ts";
import { schemaOf } from "../../core/protocol/schema.ts";
import { randomBytes, randomMessage } from "../protocol/random_message.ts";
import { Prng } from "../simulation/prng.ts";
import { mutator } from "./mutate.ts";

/** The result of `read`, or undefined when it throws MalformedError; else the error goes on. */
export function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * A codec throws MalformedError or gives a message. A message is no larger than its bytes allow,
 * and written again it reads as the same.
 */
export function fuzzMessages(seed: string, eventsMax: number): void {
  const prng = new Prng(`${seed}/messages`);
  const mutate = mutator(prng);
  for (let event = 0; event < eventsMax; event++) {
    const api = prng.pick(apis);
    const side = prng.pick(["request", "response"] as const);
    const version = prng.between(api.minVersion, api.maxVersion);
    const codec = api[side];
    const writer = new Writer();
    codec.write(writer, randomMessage(schemaOf(api)![side], version, prng), version);
    const bytes = prng.chance(0.1) ? randomBytes(prng.below(64), prng) : mutate(writer.toBytes());
    const reader = new Reader(bytes);
    const message = unlessMalformed<unknown>(() => codec.read(reader, version));
    assert(reader.offset <= bytes.length, "the codec read behind its bytes");
    if (message === undefined) continue;
    const size = measure(message);
    assert(size.elements <= bytes.length, "more elements than bytes");
    if (size.exact) {
      const again = new Writer();
      codec.write(again, message, version);
      assertEquals(codec.read(new Reader(again.toBytes()), version), message);
    }
  }
}

/** Array elements in a message, and whether all its numbers survived as such. */
function measure(value: unknown): { elements: number; exact: boolean } {
  if (typeof value === "number") return { elements: 0, exact: Number.isSafeInteger(value) };
  const sum = { elements: 0, exact: true };
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return sum;
  if (Array.isArray(value)) sum.elements = value.length;
  for (const inner of Object.values(value)) {
    const { elements, exact } = measure(inner);
    sum.elements += elements;
    sum.exact &&= exact;
  }
  return sum;
}

/** A request header throws MalformedError or ends inside of its bytes. */
export function fuzzHeaders(seed: string, eventsMax: number): void {
  const prng = new Prng(`${seed}/headers`);
  const header = new RequestHeader();
  for (let event = 0; event < eventsMax; event++) {
    const bytes = randomBytes(prng.below(40), prng);
    if (bytes.length > 4 && prng.chance(0.8)) bytes.set([0, prng.below(80), 0, prng.below(20)]);
    if (bytes.length > 10 && prng.chance(0.5)) bytes.set([0, prng.below(20)], 8);
    const reader = new Reader(bytes);
    const read = unlessMalformed(() => {
      header.readStart(reader);
      header.readRest(reader, prng.chance(0.5));
      return true;
    });
    assert(reader.offset <= bytes.length, "the header was read behind its bytes");
    if (read !== undefined) assert(reader.offset >= 10, "a header has ten bytes at least");
  }
}
