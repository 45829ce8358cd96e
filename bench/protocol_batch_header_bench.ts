/** What the produce path does with each batch, besides copying it. */
import { buildBatch } from "../core/protocol/batch_builder.ts";
import {
  BatchHeader,
  readBatchHeader,
  stampBatch,
  validateBatch,
} from "../core/protocol/record_batch.ts";
import { recordTimestamps } from "../core/protocol/records.ts";

const header = new BatchHeader();
const batches = [1, 16].map((count) =>
  buildBatch({
    records: Array.from({ length: count }, () => ({ value: new Uint8Array(1024) })),
    baseTimestampMs: 1_700_000_000_000,
  })
);

for (const bytes of batches) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = `${bytes.length} bytes`;
  Deno.bench({ name: `readBatchHeader, ${size}`, fn: () => readBatchHeader(view, 0, header) });
  Deno.bench({
    name: `validateBatch, ${size}`,
    fn() {
      validateBatch(bytes, view, 0, bytes.length, 9, header);
    },
  });
  const stamped = bytes.slice();
  const stampedView = new DataView(stamped.buffer);
  Deno.bench({ name: `stampBatch, ${size}`, fn: () => stampBatch(stampedView, 0, 123_456, 7) });
  Deno.bench({
    name: `recordTimestamps, ${size}`,
    fn() {
      for (const _ of recordTimestamps(bytes));
    },
  });
}
