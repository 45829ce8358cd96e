/**
 * How a schema's types look on the wire; decided by the API's version, read and written by
 * compile_reader.ts and compile_writer.ts.
 *
 *                   classic                          compact (KIP-482), from flexibleFrom on
 *   string          int16 length, -1 = null          uvarint length + 1, 0 = null
 *   bytes, records  int32 length, -1 = null          uvarint length + 1, 0 = null
 *   array           int32 count,  -1 = null          uvarint count + 1,  0 = null
 *   nullable struct int8, -1 = null                  the same
 *   struct's end    nothing                          uvarint count, then per tagged field
 *                                                    uvarint tag, uvarint size, value
 */
import type { Field } from "./schema.ts";

/** What a field's closures depend on besides the field. */
export interface Mode {
  readonly version: number;
  readonly flexible: boolean;
}

/** Longest string that the classic form can carry; Kafka holds the compact one to it, too. */
export const STRING_BYTES_MAX = 0x7fff;

/** True when messages of `version` have the field. */
export function isPresent({ traits }: Field<unknown>, version: number): boolean {
  return version >= traits.since && version <= traits.until;
}
