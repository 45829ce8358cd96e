/**
 * Tools that were written for KafScale read what a broker of ours has written. The tool is
 * kafscale_reader.py, which shares no code with us.
 */
import { assert, assertEquals } from "@std/assert";
import { buildBatch, type NewRecord } from "../../core/protocol/batch_builder.ts";
import type { ObjectStore } from "../../core/storage/object_store.ts";
import { openFileStore } from "../../drivers/storage/file/driver.ts";
import { BrokerProcess } from "../clients/broker_process.ts";
import { haveTools } from "../clients/requirement.ts";
import { createTopic, produce } from "../clients/wire/produce.ts";
import { RawConnection } from "../clients/wire/raw_connection.ts";
import { withDirectory } from "../cli/run_cli.ts";
import { read } from "./kafscale_tool.ts";
import { mulberry32 } from "../runtime/manual_runtime.ts";

const TOPIC = "interop";
const PARTITIONS = 3;
const BATCHES = 250;

/** `[topic, partition, offset, timestamp, key, value, headers]`, as the reader prints it. */
type ReadRecord = [
  string,
  number,
  number,
  number,
  string | null,
  string | null,
  [string, string | null][],
];

interface Written {
  readonly records: ReadRecord[];
  /** Base and last offset of each batch, by partition. */
  readonly batches: [number, number][][];
}

const encoder = new TextEncoder();
const bytes = (text: string | null) => text === null ? null : encoder.encode(text);

/** Batches of all kinds to all partitions; what was acknowledged. */
async function write(bootstrap: string): Promise<Written> {
  using connection = await RawConnection.open(bootstrap);
  assertEquals(await createTopic(connection, TOPIC, PARTITIONS), 0);
  const random = mulberry32(7);
  const below = (limit: number) => random() % limit;
  const written: Written = {
    records: [],
    batches: Array.from({ length: PARTITIONS }, () => []),
  };
  for (let at = 0; at < BATCHES; at++) {
    const partition = below(PARTITIONS);
    const baseTimestampMs = Date.UTC(2025, 0, 1) + at * 1_000;
    const records = Array.from({ length: 1 + below(5) }, (_, index): ReadRecord => [
      TOPIC,
      partition,
      index,
      baseTimestampMs + below(5_000) - 2_500,
      below(3) === 0 ? null : `key ${at} äöü`,
      below(9) === 0 ? null : `value ${at}.${index} ${"x".repeat(below(2_000))}`,
      below(4) === 0 ? [["trace", `${at}`], ["empty", null]] : [],
    ]);
    const batch = buildBatch({
      baseTimestampMs,
      compression: below(3) === 0 ? "gzip" : "none",
      records: records.map(([, , , timestampMs, key, value, headers]): NewRecord => ({
        timestampMs,
        key: bytes(key),
        value: bytes(value),
        headers: headers.map(([name, text]) => ({ key: name, value: bytes(text) })),
      })),
    });
    const { errorCode, baseOffset } = await produce(connection, TOPIC, partition, batch);
    assertEquals(errorCode, 0);
    for (const record of records) record[2] += baseOffset;
    written.records.push(...records);
    written.batches[partition]!.push([baseOffset, baseOffset + records.length - 1]);
  }
  written.records.sort((a, b) => a[1] - b[1] || a[2] - b[2]);
  return written;
}

/** Waits until everything is in segments: then the commit log has no slot. */
async function rewritten(store: ObjectStore): Promise<void> {
  const endMs = performance.now() + 60_000;
  for (let left = 1; left > 0;) {
    assert(performance.now() < endMs, `${left} slots are left`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    left = 0;
    for await (const _ of store.list("default/.wal/", undefined)) left++;
  }
}

/** Reads it all back with the tool, and looks offsets up with it. */
async function assertReads(bucket: string, { records, batches }: Written): Promise<void> {
  const found = await read("records", bucket, "default") as ReadRecord[];
  found.sort((a, b) => a[1] - b[1] || a[2] - b[2]);
  assertEquals(found.length, records.length);
  assertEquals(found, records);
  for (const [partition, own] of batches.entries()) {
    const wanted = own.flatMap(([base, last]) => [[base, base], [last, base]] as const);
    const offsets = wanted.map(([offset]) => String(offset));
    const seen = await read("seek", bucket, "default", TOPIC, `${partition}`, ...offsets);
    assertEquals(
      (seen as [number, number, number][]).map(([base]) => base),
      wanted.map(([, base]) => base),
    );
    // 4 KiB lie between two entries of an index, so only so many batches behind one.
    const walks = (seen as [number, number, number][]).map(([, , walked]) => walked);
    assert(Math.max(...walks) > 0 && Math.max(...walks) < 60, `${Math.max(...walks)} walked`);
  }
}

if (haveTools("interoperability", "python3")) {
  Deno.test({
    name: "a tool for KafScale reads every record that a broker has written to a directory",
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () =>
      withDirectory(async (dataDir) => {
        const env = {
          KAFSCALE_SEGMENT_BYTES: "64KiB",
          KAFSCALE_COMPACTION_INTERVAL_MS: "1000",
        };
        const broker = await BrokerProcess.start({ dataDir, env });
        try {
          const written = await write(broker.bootstrap);
          const store = await openFileStore({ dir: `${dataDir}/objects`, readOnly: true });
          await rewritten(store);
          await store.close();
          assertEquals(await broker.terminate(), 0);
          await assertReads(`${dataDir}/objects`, written);
        } finally {
          await broker.stop();
        }
      }),
  });
}
