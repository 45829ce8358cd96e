/** What opening a store makes of its journals: the objects that they hold are back in memory. */
import type { Replayed } from "./create_journal.ts";
import type { Live } from "./held.ts";
import { JournalFile, type OpenedJournal, type OpenJournal } from "./journal_file.ts";
import { RecordKind } from "./journal_format.ts";
import { JOURNAL_NAMES } from "./settings.ts";

/**
 * `remove` finishes a deletion: it removes the file of the key, if there is one, durably. Without
 * it, nothing on the disk is changed.
 */
export async function replayJournals(
  dir: string,
  open: OpenJournal,
  remove: ((key: string) => Promise<void>) | undefined,
): Promise<Replayed> {
  const opened: OpenedJournal[] = [];
  try {
    for (const name of JOURNAL_NAMES) {
      const journal = await JournalFile.open(`${dir}/${name}`, open, remove === undefined);
      if (journal !== undefined) opened.push(journal);
    }
    opened.sort((one, other) => firstSequence(one) - firstSequence(other));
    const live = new Map<string, Live>();
    let sequence = 0;
    for (const { file, records } of opened) {
      for (const { kind, key, body, start, end, sequence: at } of records) {
        sequence = Math.max(sequence, at);
        if (kind === RecordKind.released) live.delete(key);
        else {
          const state = kind === RecordKind.put ? "held" : "deleting";
          live.set(key, { file, state, size: body.length, body, start, end, onDisk: true });
        }
      }
    }
    for (const [key, entry] of live) {
      if (entry.state !== "deleting" || remove === undefined) continue;
      await remove(key);
      entry.state = "deleted";
    }
    return { files: opened.map(({ file }) => file), live, sequence };
  } catch (error) {
    for (const { file } of opened) file.handle.close();
    throw error;
  }
}

/** Journals are filled one after the other, so their sequences do not mix. */
function firstSequence({ records }: OpenedJournal): number {
  return records[0]?.sequence ?? Infinity;
}
