import type { StoreAdvice } from "../../../core/storage/object_store.ts";
import type { OpenJournal } from "./journal_file.ts";

export interface FileStoreOptions {
  /** Made if it does not exist. One process at a time may write to it. */
  readonly dir: string;
  /** Leaves the directory as it is (no sweep, no probe); writes fail. For `dump` and the like. */
  readonly readOnly?: boolean;
  /** For tests: journals and volumes of another size (bytes), and faults in their files. */
  readonly journal?: {
    readonly bytes?: number;
    readonly volumeBytes?: number;
    readonly open?: OpenJournal;
  };
}

export const FILE_ADVICE: StoreAdvice = {
  flushIntervalMs: 0,
  parallelUploads: 2,
  commitBytes: 4 * 1024 * 1024,
  rangeBytes: 256 * 1024,
  readAheadBytes: 1024 * 1024,
};

/** Where objects are written before they get their name; on the same file system as they. */
export const TEMP_DIR = ".tmp";

/** Writes at once; the others wait in order. Each holds one file handle and one scratch buffer. */
export const WRITES_MAX = 16;

/** Reads at once; each holds one file handle. */
export const READS_MAX = 64;

/** Files that stay open for the next read: partitions that are read beside each other are some tens
 * of WAL objects apart. */
export const IDLE_FILES_MAX = 128;

/** Temporary files that are kept open for the next creates; saves one round trip in each. */
export const SPARE_TEMP_FILES_MAX = 4;

/** Directory handles kept open for fsync; the least recently used one is closed beyond that. */
export const DIRECTORY_HANDLES_MAX = 256;

/** Names that are remembered of a folder that was made in this life; of a larger one, none. */
export const DIRECTORY_NAMES_MAX = 20_000;

/** Files whose size is asked for at once while listing. */
export const LIST_STATS_AT_ONCE = 16;

/** Parts of a body smaller than this are gathered into one write of up to `SCRATCH_BYTES`. */
export const SMALL_PART_BYTES = 128 * 1024;

/** Copying this much takes some 30 µs, less than a round trip through the thread pool. */
export const SCRATCH_BYTES = 256 * 1024;

/** Bodies above this are background work's: what clients wait for is a commit, and smaller. */
export const SYNC_AT_ONCE_BYTES_MAX = 8 * 1024 * 1024;

/** What the disk gets to write at a time of such a body: some milliseconds' worth. */
export const SYNC_STEP_BYTES = 1024 * 1024;

/** Into the page cache, which takes less than the way through the thread pool would. */
export const WRITE_SYNC_BYTES_MAX = 64 * 1024;

/** Where journals and volumes lie (create_journal.ts, volumes.ts); like `TEMP_DIR` no key's first
 * part. */
export const JOURNAL_DIR = ".journal";

/** Two are enough where what they hold is deleted soon; the others are made when it is not, since a
 * pile of WAL has to be rewritten first. */
export const JOURNAL_NAMES: readonly string[] = [..."abcdefghijkl"];

/** Each journal: some 7,500 objects of 500 bytes. What the one in use holds is in memory, too. */
export const JOURNAL_BYTES = 4 * 1024 * 1024;

/** Larger bodies are created without the journal: writing them twice costs more than it saves. */
export const JOURNAL_BODY_BYTES_MAX = 128 * 1024;

/** The part of a journal, one in so many, that creates leave to the deletions of what it holds. */
export const JOURNAL_RESERVE_PART = 8;

/** Records that gathered during one fdatasync are written at once up to this. */
export const JOURNAL_GROUP_BYTES = 1024 * 1024;

/** A checkpoint beside the traffic is gentle; one at the end has the disk to itself. */
export const CHECKPOINT_FILES_AT_ONCE = 2;
export const CLOSING_FILES_AT_ONCE = 16;

/** A stop takes no longer than so many files need, about a second; more stay in the journals. */
export const CLOSING_OBJECTS_MAX = 1000;

/** A volume: what is left of it when its oldest objects are deleted takes room on the disk. */
export const VOLUME_BYTES = 64 * 1024 * 1024;

/** Volumes that are written at once: a WAL chain has two commits under way. */
export const VOLUMES_ACTIVE_MAX = 2;

/** Objects of one folder that one step of a delete takes. */
export const DELETE_FILES_AT_ONCE = 256;
