/**
 * Turns a schema into a codec. Whatever depends on the version alone (is the field there, are
 * lengths compact, may it be null) is decided once, when a version is first used, and not per
 * message.
 */
import { invariant } from "../runtime/assert.ts";
import type { Codec } from "./api.ts";
import { messageReader, type Read } from "./compile_reader.ts";
import { structWriter, type Write } from "./compile_writer.ts";
import type { Fields, ObjectOf } from "./schema.ts";
import type { Mode } from "./wire_form.ts";

/** The codec of one message of an API; versions are compiled at first use. */
export function compile<F extends Fields>(
  fields: F,
  versions: readonly [oldest: number, newest: number],
  flexibleFrom: number,
): Codec<ObjectOf<F>> {
  const readers: (Read | undefined)[] = [];
  const writers: (Write | undefined)[] = [];
  const mode = (version: number): Mode => {
    invariant(version >= versions[0] && version <= versions[1], "the API has no such version");
    return { version, flexible: version >= flexibleFrom };
  };
  return {
    read(reader, version) {
      const read = readers[version] ??= messageReader(fields, mode(version));
      return read(reader) as ObjectOf<F>;
    },
    write(writer, value, version) {
      const write = writers[version] ??= structWriter(fields, mode(version));
      write(writer, value);
    },
  };
}
