import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { recordMemory } from "../../../drivers/storage/file/record_chunks.ts";

Deno.test("recordMemory() gives zeroed bytes that nobody else has, many of one buffer", () => {
  const taken = new Map<ArrayBufferLike, number>();
  let buffers = 0;
  for (let at = 0; at < 3_000; at++) {
    const bytes = recordMemory(40 + at % 700 * 8);
    assertEquals(bytes.length, 40 + at % 700 * 8);
    assert(bytes.every((byte) => byte === 0), "another record is in these bytes");
    bytes.fill(0xff);
    if (!taken.has(bytes.buffer)) buffers++;
    taken.set(bytes.buffer, (taken.get(bytes.buffer) ?? 0) + bytes.length);
  }
  assert(buffers < 20, `${buffers} buffers for 8 MiB`);
});

Deno.test("recordMemory() gives large records buffers of their own", () => {
  const small = recordMemory(8);
  const large = recordMemory(128 * 1024 + 8);
  assertEquals(large.buffer.byteLength, 128 * 1024 + 8);
  assertNotEquals(small.buffer, large.buffer);
  assertEquals(recordMemory(8).buffer, small.buffer, "the chunk goes on behind it");
});
