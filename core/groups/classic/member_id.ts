import type { Random } from "../../runtime/mod.ts";

/**
 * `<name>-<random UUID>`, as Kafka makes member ids; operators recognise the client by its name.
 */
export function memberId(random: Random, name: string): string {
  return `${name}-${randomUuid(random)}`;
}

/** A version 4 UUID in its usual text form. */
export function randomUuid(random: Random): string {
  const bytes = new Uint8Array(16);
  random.fill(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((text, at) => text.slice(0, at) + "-" + text.slice(at), hex);
}
