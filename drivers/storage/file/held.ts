/** What the create journals say of a key, and the objects that they hold. */
import { invariant } from "../../../core/runtime/mod.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { storeError } from "./errors.ts";
import type { JournalFile } from "./journal_file.ts";
import { readRecord, RecordKind } from "./journal_format.ts";

/**
 * - `unsure`: on its way to the disk, or failed there; the next start finds it, or not.
 * - `held`: the object exists, with `body`.
 * - `deleting`: the record says deleted, a file may still be there.
 * - `deleted`: there is durably no file.
 */
export type LiveState = "unsure" | "held" | "deleting" | "deleted";

export interface Live {
  /** The journal with the key's last record. */
  readonly file: JournalFile;
  state: LiveState;
  /** Bytes of the object. */
  readonly size: number;
  /** The object, as long as it is in memory. */
  body: Uint8Array | undefined;
  /** Where its record lies, if it is a put. */
  readonly start: number;
  readonly end: number;
  /** A file may have the object's name already. */
  onDisk: boolean;
}

/** The objects that journals hold, by key, with their sizes. */
export function* heldIn(live: ReadonlyMap<string, Live>): Iterable<[string, number]> {
  for (const [key, { state, size }] of live) if (state === "held") yield [key, size];
}

/** An object that a journal holds, from memory or from its record. */
export async function readHeld(
  live: ReadonlyMap<string, Live>,
  key: string,
): Promise<Uint8Array | undefined> {
  for (;;) {
    const entry = live.get(key);
    if (entry?.state !== "held") return undefined;
    if (entry.body !== undefined) return entry.body;
    const { file, start, end } = entry;
    const { generation } = file;
    const bytes = await file.read(start, end).catch((error) => {
      throw storeError(error, `read ${key}`);
    });
    const record = readRecord(bytes, 0, generation);
    if (record?.key === key && record.kind === RecordKind.put) return record.body;
    // A checkpoint has made a file of it meanwhile, and the journal was used again.
    if (live.get(key) === entry && file.generation === generation) {
      throw new StoreError("fatal", `read ${key}: its record in ${file.path} is damaged`);
    }
  }
}

/** The same of a key that is locked, and held. */
export async function heldBody(live: ReadonlyMap<string, Live>, key: string): Promise<Uint8Array> {
  const body = await readHeld(live, key);
  invariant(body !== undefined, "what is held stays held while its key is locked");
  return body;
}
