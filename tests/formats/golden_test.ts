/**
 * Compatibility-sensitive: what the broker's own rewriting and merging make of fixed input, byte
 * for byte, against the objects in fixtures/bucket. Other KafScale readers expect these bytes.
 * Never "update" them: a difference is a format that old readers may not know.
 */
import { assertEquals } from "@std/assert";
import { mergeSegments } from "../../core/log/merge.ts";
import { rewriteTail } from "../../core/log/rewrite.ts";
import { buildBatch, type NewBatch } from "../../core/protocol/batch_builder.ts";
import { haveTools } from "../clients/requirement.ts";
import { append, Scene } from "../log/scene.ts";
import { read } from "./kafscale_tool.ts";

const BUCKET = new URL("fixtures/bucket", import.meta.url).pathname;
const T0 = Date.UTC(2024, 11, 31);
const bytes = (text: string) => new TextEncoder().encode(text);
const producer = { producerId: 4_000, producerEpoch: 1 };

/** Each becomes a segment of its own; the first three then become one. */
const SEGMENTS: readonly (readonly NewBatch[])[] = [
  [{
    baseTimestampMs: T0,
    ...producer,
    baseSequence: 0,
    records: [
      { key: bytes("a"), value: bytes("first") },
      { key: bytes("b"), value: bytes("second"), timestampMs: T0 + 5 },
      { value: null, timestampMs: T0 - 5, headers: [{ key: "trace", value: bytes("1") }] },
    ],
  }, {
    baseTimestampMs: T0 + 10,
    ...producer,
    baseSequence: 3,
    records: [{ key: null, value: bytes("") }],
  }],
  [{ baseTimestampMs: T0 + 20, records: [{ value: bytes("x".repeat(100)) }] }],
  [{
    baseTimestampMs: T0 + 30,
    records: [{ value: bytes("äöü"), headers: [{ key: "none", value: null }] }],
  }, { baseTimestampMs: T0 + 31, records: [{ value: bytes("y".repeat(40)) }] }],
  [{ baseTimestampMs: T0 + 40, records: [{ key: bytes("z"), value: bytes("last") }] }],
];

/** The partition's objects but its manifests, by name. */
async function writtenObjects(): Promise<Map<string, Uint8Array>> {
  const scene = new Scene();
  Object.assign(scene.settings, { segmentBytes: 600, indexIntervalBytes: 150 });
  const room = await scene.open();
  const log = await room.log(await room.topic("orders"));
  for (const batches of SEGMENTS) {
    for (const batch of batches) {
      const result = append(log, buildBatch(batch));
      assertEquals([result.errorCode, await result.committed], [0, 0]);
    }
    await rewriteTail(log, true);
  }
  assertEquals(await mergeSegments(log), 3);
  const objects = new Map<string, Uint8Array>();
  for (const key of scene.keys("ns/orders/0/segment-")) objects.set(key, scene.objects.get(key)!);
  await room.stop();
  return objects;
}

Deno.test("rewriting and merging give the bytes that KafScale readers expect", async () => {
  const objects = await writtenObjects();
  const folder = `${BUCKET}/ns/orders/0`;
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => `ns/orders/0/${name}`);
  assertEquals([...objects.keys()], names.sort());
  for (const [key, found] of objects) {
    assertEquals(found, await Deno.readFile(`${BUCKET}/${key}`), key);
  }
});

if (haveTools("interoperability", "python3")) {
  Deno.test("a tool for KafScale reads the golden bucket", async () => {
    const row = (
      offset: number,
      ms: number,
      key: unknown,
      value: unknown,
      headers: unknown = [],
    ) => ["orders", 0, offset, T0 + ms, key, value, headers];
    assertEquals(await read("records", BUCKET, "ns"), [
      row(0, 0, "a", "first"),
      row(1, 5, "b", "second"),
      row(2, -5, null, null, [["trace", "1"]]),
      row(3, 10, null, ""),
      row(4, 20, null, "x".repeat(100)),
      row(5, 30, null, "äöü", [["none", null]]),
      row(6, 31, null, "y".repeat(40)),
      row(7, 40, "z", "last"),
    ]);
    const offsets = ["0", "2", "3", "4", "5", "6", "7"];
    assertEquals(await read("seek", BUCKET, "ns", "orders", "0", ...offsets), [
      [0, 32, 0],
      [0, 32, 0],
      [3, 135, 1],
      [4, 203, 0],
      [5, 373, 0],
      [6, 453, 1],
      [7, 32, 0],
    ]);
  });
}
