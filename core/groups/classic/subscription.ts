/**
 * The topics in a consumer's subscription: `version topics:[string] …`, int16, then an int32 count
 * of int16-length strings; later versions only add behind (ConsumerProtocolSubscription). It is the
 * one part of members' metadata that the broker looks into: offsets of subscribed topics do not
 * expire.
 */
import { MalformedError, Reader } from "../../bytes/mod.ts";

/** Protocol type of Kafka consumers. */
export const CONSUMER_PROTOCOL = "consumer";

/** Undefined when the bytes are not a subscription. */
export function subscribedTopics(metadata: Uint8Array): readonly string[] | undefined {
  const reader = new Reader(metadata);
  try {
    if (reader.int16() < 0) return undefined;
    const topics: string[] = [];
    for (let left = reader.int32(); left > 0; left--) topics.push(reader.utf8(reader.int16()));
    return topics;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
