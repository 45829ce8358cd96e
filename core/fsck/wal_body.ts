/** The body of a WAL slot against its footer. */
import { MalformedError } from "../bytes/mod.ts";
import type { BatchRow, SlotFooter } from "../storage/wal/format.ts";
import { footerLength, WAL_HEADER_BYTES, WAL_TRAILER_BYTES } from "../storage/wal/format.ts";
import { BodyScan, lastOffsetOf } from "./body_scan.ts";
import type { Context } from "./context.ts";
import { finding } from "./finding.ts";

/** Every batch of the slot must be where its row says, be what it says, and have its CRC-32C. */
export async function checkSlotBody(
  { bucket, found }: Context,
  key: string,
  size: number,
  footer: SlotFooter,
): Promise<void> {
  const rows = new Map<number, BatchRow>();
  for (const partition of footer.partitions) {
    for (const row of partition.rows) rows.set(row.position, row);
  }
  const damaged = (text: string) => found(finding("wal-batch-damaged", key, text));
  const scan = new BodyScan(WAL_HEADER_BYTES, true, ({ header, position, length, intact }) => {
    const row = rows.get(position);
    rows.delete(position);
    if (row === undefined) return damaged(`holds a batch at ${position} that no row names`);
    const same = row.length === length && row.baseOffset === header.baseOffset &&
      row.baseOffset + row.lastOffsetDelta === lastOffsetOf(header);
    if (!same) damaged(`the batch at ${position} is not what its row says`);
    else if (!intact) damaged(`the batch of offset ${row.baseOffset} fails its CRC-32C`);
  });
  try {
    const trailer = await bucket.get(key, { start: size - WAL_TRAILER_BYTES, end: size });
    if (trailer === undefined) return;
    const end = size - footerLength(trailer);
    if (!await bucket.read(key, WAL_HEADER_BYTES, end, (piece) => scan.take(piece))) return;
    scan.end();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return damaged(error.message);
  }
  for (const position of rows.keys()) damaged(`has no batch at ${position}, where a row names one`);
}
