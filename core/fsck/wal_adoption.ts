/** Adoption records: what they name must be there, and be what they say. */
import { MalformedError } from "../bytes/mod.ts";
import type { BatchRow, PartitionRows, SlotFooter } from "../storage/wal/format.ts";
import { readSlotFooter } from "../storage/wal/slot_reader.ts";
import { forEachAtOnce } from "./bucket.ts";
import { finding } from "./finding.ts";
import { checkSlotBody } from "./wal_body.ts";
import type { WalCheck } from "./wal_check.ts";

/** Enters the entries of the adoption record at `key` that are not known from elsewhere. */
export async function readAdoption(
  check: WalCheck,
  footer: SlotFooter,
  key: string,
): Promise<void> {
  const { context, named, sizes, visited } = check;
  const present = new Map<string, SlotFooter>();
  await forEachAtOnce(new Set(footer.objects), context.bucket.parallel, async (object) => {
    named.add(object);
    const size = sizes.get(object);
    if (visited.has(object) || size === undefined) return;
    const own = await ownFooter(check, object, size);
    if (own === undefined) return;
    present.set(object, own);
    if (context.depth === "deep") await checkSlotBody(context, object, size, own);
  });
  const known = new Map<SlotFooter, RowFinder>();
  for (const { topicId, partition, rows } of footer.partitions) {
    for (const row of rows) {
      const object = footer.objects[row.object];
      if (object === undefined) {
        context.found(
          finding("wal-adoption-mismatch", key, "names an object that it doesn't list"),
        );
        continue;
      }
      if (visited.has(object)) continue;
      const own = present.get(object);
      if (own === undefined) {
        check.entries.addLost(topicId, partition, row, object);
        continue;
      }
      let finder = known.get(own);
      if (finder === undefined) known.set(own, finder = new RowFinder(own.partitions));
      if (!finder.has(topicId, partition, row)) {
        const text = `says that offset ${row.baseOffset} of partition ${partition}, topic ` +
          `${topicId}, lies at ${row.position} in ${object}, and it does not`;
        context.found(finding("wal-adoption-mismatch", key, text));
      }
      check.entries.add(topicId, partition, row, object, footer, context.found);
    }
  }
  // The next incarnation's record names them again, until this chain is forgotten.
  for (const object of footer.objects) visited.add(object);
}

async function ownFooter(
  { context }: WalCheck,
  key: string,
  size: number,
): Promise<SlotFooter | undefined> {
  context.looked.slots++;
  try {
    return await readSlotFooter(context.bucket, key, size);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    context.found(finding("wal-slot-damaged", key, `cannot be read: ${error.message}`));
    return undefined;
  }
}

/** The rows of one slot, to be found by partition and offset. */
class RowFinder {
  readonly #rows = new Map<string, BatchRow>();

  constructor(partitions: readonly PartitionRows[]) {
    for (const { topicId, partition, rows } of partitions) {
      for (const row of rows) this.#rows.set(`${topicId}/${partition}/${row.baseOffset}`, row);
    }
  }

  has(topicId: string, partition: number, row: BatchRow): boolean {
    const own = this.#rows.get(`${topicId}/${partition}/${row.baseOffset}`);
    return own !== undefined && own.position === row.position && own.length === row.length &&
      own.lastOffsetDelta === row.lastOffsetDelta;
  }
}
