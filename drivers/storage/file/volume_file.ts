/** One volume on disk: objects one behind the other, each durable before the next one is begun. */
import { crc32c, lengthOf } from "../../../core/bytes/mod.ts";
import { Semaphore } from "../../../core/runtime/mod.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { readFrom, writeAt } from "./body.ts";
import { syncError } from "./errors.ts";
import { FILE_HEADER_BYTES } from "./file_header.ts";
import { type JournalHandle, type OpenJournal, syncFolder } from "./journal_file.ts";
import { parentOf } from "./directories.ts";
import {
  decodeVolumeHead,
  decodeVolumeHeader,
  encodeVolumeHead,
  encodeVolumeHeader,
  nextRecordStart,
  VOLUME_BLOCK_BYTES,
  VOLUME_HEAD_BYTES,
  VolumeState,
  type VolumeStateValue,
} from "./volume_format.ts";

/** Where an object lies. */
export interface VolumePlace {
  readonly volume: VolumeFile;
  /** Of its record. */
  readonly start: number;
  /** Of its body. */
  readonly bodyStart: number;
  readonly size: number;
  readonly bodyCrc: number;
}

export interface OpenedVolume {
  readonly file: VolumeFile;
  readonly places: ReadonlyMap<string, VolumePlace>;
}

/** A key has at most 1,024 bytes. */
const HEAD_READ_BYTES = 2048;
const SEARCH_BYTES = 1024 * 1024;

export class VolumeFile {
  /** Objects in it that exist, or are on their way. */
  live = 0;
  /** It takes no more objects. */
  sealed = false;
  /** Seek and write are two steps, and only one record may be without its sync. */
  readonly turn = new Semaphore(1);
  #closed = false;

  private constructor(
    readonly path: string,
    readonly volume: number,
    readonly handle: JournalHandle,
    /** Where the next record goes. */
    public end: number,
  ) {}

  /** A new volume, durable under its name, or a throw and nothing. */
  static async make(path: string, volume: number, open: OpenJournal): Promise<VolumeFile> {
    const handle = await open(path, { read: true, write: true, createNew: true });
    try {
      await writeAt(handle, 0, [encodeVolumeHeader(volume)]);
      await handle.syncData();
      await syncFolder(parentOf(path));
      return new VolumeFile(path, volume, handle, VOLUME_BLOCK_BYTES);
    } catch (error) {
      handle.close();
      await Deno.remove(path).catch(() => {});
      throw error;
    }
  }

  /** What an earlier process left; it is sealed. */
  static async open(path: string, open: OpenJournal, readOnly: boolean): Promise<OpenedVolume> {
    const handle = await open(path, { read: true, write: !readOnly });
    try {
      const { size } = handle.statSync();
      const volume = decodeVolumeHeader(await readFrom(handle, 0, FILE_HEADER_BYTES));
      // Its header was to be durable before anything else.
      if (volume === undefined && size > VOLUME_BLOCK_BYTES) throw damaged(path, 0);
      const file = new VolumeFile(path, volume ?? 0, handle, VOLUME_BLOCK_BYTES);
      file.sealed = true;
      const places = volume === undefined ? new Map() : await file.#scan(size);
      file.live = places.size;
      return { file, places };
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  /** Writes the object behind the others; it exists once `sync` has returned. */
  async write(key: string, body: readonly Uint8Array[]): Promise<VolumePlace> {
    const start = this.end;
    const size = lengthOf(body);
    const bodyCrc = body.reduce((crc, part) => crc32c(part, 0, part.length, crc), 0);
    const head = this.#head(VolumeState.object, key, { size, bodyCrc });
    await writeAt(this.handle, start, [head, ...body]);
    const bodyStart = start + head.length;
    this.end = nextRecordStart(bodyStart + size);
    return { volume: this, start, bodyStart, size, bodyCrc: bodyCrc | 0 };
  }

  /** Makes the object durable that was written last. */
  async sync(): Promise<void> {
    await this.handle.syncData();
  }

  /** Makes the objects deleted, durably. */
  async markDeleted(objects: ReadonlyMap<string, VolumePlace>): Promise<void> {
    for (const [key, place] of objects) {
      const head = this.#head(VolumeState.deleted, key, place);
      await writeAt(this.handle, place.start, [head.subarray(0, VOLUME_HEAD_BYTES)]);
    }
    await this.sync().catch((error) => {
      throw syncError(error, `fdatasync the volume ${this.path}`);
    });
  }

  /** Says that all objects are whole and none follows, for the next start; as far as that goes. */
  markEnd(): void {
    try {
      const head = this.#head(VolumeState.end, "", { size: 0, bodyCrc: 0 });
      this.handle.seekSync(this.end, Deno.SeekMode.Start);
      this.handle.writeSync(head);
    } catch {
      // The next start looks at the last object itself.
    }
  }

  close(): void {
    if (!this.#closed) this.handle.close();
    this.#closed = true;
  }

  /** Takes back a record whose write or sync failed; whether that is durable. */
  async takeBack(start: number): Promise<boolean> {
    this.end = start;
    try {
      await this.handle.truncate(start);
      await this.handle.sync();
      return true;
    } catch {
      return false;
    }
  }

  #head(
    state: VolumeStateValue,
    key: string,
    { size, bodyCrc }: Pick<VolumePlace, "size" | "bodyCrc">,
  ): Uint8Array {
    return encodeVolumeHead(this.volume, { state, key, bodyBytes: size, bodyCrc: bodyCrc >>> 0 });
  }

  /** The objects that exist, of a file of `size` bytes. */
  async #scan(size: number): Promise<ReadonlyMap<string, VolumePlace>> {
    const places = new Map<string, VolumePlace>();
    let last: string | undefined;
    for (let start = this.end;; start = this.end) {
      const head = decodeVolumeHead(
        await readFrom(this.handle, start, HEAD_READ_BYTES),
        this.volume,
      );
      if (head === undefined) break;
      if (head.state === VolumeState.end) return places;
      const { key, bodyBytes, bodyCrc, headBytes } = head;
      const bodyStart = start + headBytes;
      last = undefined;
      if (head.state === VolumeState.object) {
        last = key;
        const place = { volume: this, start, bodyStart, size: bodyBytes, bodyCrc: bodyCrc | 0 };
        places.set(key, place);
      }
      this.end = nextRecordStart(bodyStart + bodyBytes);
    }
    // Whatever is behind the last record of all was on its way when the process ended.
    if (await this.#holdsRecords(this.end + VOLUME_BLOCK_BYTES, size)) {
      throw damaged(this.path, this.end);
    }
    if (last !== undefined && !await this.#isWhole(places.get(last)!)) places.delete(last);
    return places;
  }

  async #isWhole({ bodyStart, size, bodyCrc }: VolumePlace): Promise<boolean> {
    const body = await readFrom(this.handle, bodyStart, size);
    return body.length === size && (crc32c(body) | 0) === bodyCrc;
  }

  /** Whether a record begins in `[from, to)`. */
  async #holdsRecords(from: number, to: number): Promise<boolean> {
    for (let at = from; at < to; at += SEARCH_BYTES) {
      const bytes = await readFrom(this.handle, at, Math.min(SEARCH_BYTES, to - at));
      for (let block = 0; block < bytes.length; block += VOLUME_BLOCK_BYTES) {
        if (decodeVolumeHead(bytes.subarray(block), this.volume) !== undefined) return true;
      }
    }
    return false;
  }
}

function damaged(path: string, at: number): StoreError {
  return new StoreError(
    "fatal",
    `the volume ${path} is damaged at ${at}: restore it, or move it away to go on without the ` +
      "objects in it",
  );
}
