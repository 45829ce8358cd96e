/**
 * Objects that are deleted before long, many to a file. A file of its own costs more than half a
 * megabyte itself does: an inode, a name and blocks are found, and each of them is synced; and all
 * are given back when it is deleted. Here a create is one write and one fdatasync, and a deletion
 * some bytes in place or, of the last object that a full volume has left, the removal of its file.
 *
 * A volume is written by this process alone, from its start to its end, and never again after that:
 * so who reads an object that is being deleted finds its bytes, or no file, but no other object.
 */
import { lengthOf } from "../../../core/bytes/mod.ts";
import { StoreError } from "../../../core/storage/object_store.ts";
import { readFrom } from "./body.ts";
import { codeOf } from "./errors.ts";
import { type OpenJournal, syncFolder } from "./journal_file.ts";
import type { OpenFiles } from "./open_files.ts";
import { VOLUME_BYTES, VOLUMES_ACTIVE_MAX } from "./settings.ts";
import { VolumeFile, type VolumePlace } from "./volume_file.ts";
import { nextRecordStart, VOLUME_HEAD_BYTES } from "./volume_format.ts";

export interface VolumesSetup {
  readonly dir: string;
  readonly open: OpenJournal;
  readonly files: OpenFiles;
  readonly readOnly: boolean;
  /** Of each volume; undefined: the usual size. */
  readonly bytes?: number | undefined;
}

/** Of a file in the folder of the journals. */
const NAME = /^volume-(\d{10})$/;

export class Volumes {
  readonly #setup: VolumesSetup;
  readonly #places: Map<string, VolumePlace>;
  readonly #files: Set<VolumeFile>;
  #active: VolumeFile[] = [];
  #making = 0;
  #nextNumber: number;
  /** Nobody knows whether these exist: a write failed, and could not be taken back. */
  readonly #unsure = new Set<string>();
  /** Found at the start: a file may have the same name, should the power have failed. */
  readonly #mayBeFiles: Set<string>;
  readonly #chores = new Set<Promise<void>>();
  #closing = false;

  private constructor(
    setup: VolumesSetup,
    files: readonly VolumeFile[],
    places: Map<string, VolumePlace>,
    nextNumber: number,
  ) {
    this.#setup = setup;
    this.#files = new Set(files);
    this.#places = places;
    this.#mayBeFiles = new Set(places.keys());
    this.#nextNumber = nextNumber;
  }

  /** Those that earlier processes left; what has no object any more is removed. */
  static async open(setup: VolumesSetup): Promise<Volumes> {
    const files: VolumeFile[] = [];
    const places = new Map<string, VolumePlace>();
    let nextNumber = 0;
    try {
      for (const name of await namesIn(setup.dir)) {
        nextNumber = Number(NAME.exec(name)![1]) + 1;
        const opened = await openIfThere(`${setup.dir}/${name}`, setup);
        if (opened === undefined) continue;
        files.push(opened.file);
        for (const [key, place] of opened.places) places.set(key, place);
      }
      const volumes = new Volumes(setup, files, places, nextNumber);
      for (const file of files) {
        if (setup.readOnly) file.close();
        else if (file.live === 0) await volumes.#remove(file);
      }
      return volumes;
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
  }

  holds(key: string): boolean {
    return this.#places.has(key);
  }

  placeOf(key: string): VolumePlace | undefined {
    return this.#places.get(key);
  }

  /** The object may have a file of its name, too. */
  mayBeFile(key: string): boolean {
    return this.#mayBeFiles.has(key);
  }

  /** The objects by key, with their sizes. */
  *objects(): Iterable<[string, number]> {
    for (const [key, { size }] of this.#places) yield [key, size];
  }

  /** With the key locked, so that it stays. */
  async read(key: string): Promise<Uint8Array> {
    const { volume, bodyStart, size } = this.#places.get(key)!;
    const bytes = await this.#setup.files.use(
      volume.path,
      (file) => readFrom(file, bodyStart, size),
    );
    if (bytes?.length === size) return bytes;
    throw new StoreError("retry", `read ${key}: the volume ${volume.path} was cut short`);
  }

  /**
   * Resolves when the body is written and not read any more; `durable` settles when the object
   * exists. Undefined: all volumes are in use, or none can be made, so go without.
   */
  async create(
    key: string,
    body: readonly Uint8Array[],
  ): Promise<{ readonly durable: Promise<void> } | undefined> {
    if (this.#unsure.has(key)) {
      throw new StoreError("fatal", `create ${key}: an earlier try failed, restart the broker`);
    }
    const bytes = nextRecordStart(VOLUME_HEAD_BYTES + key.length * 3 + lengthOf(body));
    const volume = await this.#take(bytes);
    if (volume === undefined) return undefined;
    const start = volume.end;
    volume.live++;
    const failed = async (error: unknown) => {
      volume.live--;
      if (!await volume.takeBack(start)) this.#unsure.add(key);
      this.#seal(volume, false);
      volume.turn.release();
      throw error;
    };
    const place = await volume.write(key, body).catch(failed);
    const durable = volume.sync().then(() => {
      this.#places.set(key, place);
      volume.turn.release();
    }, failed);
    return { durable };
  }

  /** Resolves when the objects are gone for good. With the keys locked. */
  async delete(keys: readonly string[]): Promise<void> {
    const byVolume = new Map<VolumeFile, Map<string, VolumePlace>>();
    for (const key of keys) {
      const place = this.#places.get(key);
      if (place === undefined) continue;
      const objects = byVolume.get(place.volume) ?? new Map<string, VolumePlace>();
      byVolume.set(place.volume, objects.set(key, place));
    }
    for (const [volume, objects] of byVolume) {
      // With nothing left the file goes; a reader may still have it open.
      const last = volume.sealed && volume.live === objects.size;
      if (last) await this.#remove(volume);
      else await volume.turn.within(() => volume.markDeleted(objects));
      for (const key of objects.keys()) {
        this.#places.delete(key);
        this.#mayBeFiles.delete(key);
      }
      volume.live -= objects.size;
      if (!last) this.#removeIfDone(volume);
    }
  }

  /** No calls may be under way. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#chores);
    for (const volume of this.#active) {
      await volume.turn.within(() => Promise.resolve(volume.markEnd()));
    }
    for (const volume of this.#files) volume.close();
    this.#files.clear();
  }

  /** One that takes so many bytes more, with its turn. */
  async #take(bytes: number): Promise<VolumeFile | undefined> {
    const { bytes: size = VOLUME_BYTES } = this.#setup;
    for (const volume of [...this.#active]) {
      if (!volume.turn.tryAcquire()) continue;
      if (volume.end + bytes <= size) return volume;
      this.#seal(volume, true);
      volume.turn.release();
    }
    if (this.#closing || this.#active.length + this.#making >= VOLUMES_ACTIVE_MAX) return undefined;
    this.#making++;
    const made = await this.#make().catch(() => undefined).finally(() => this.#making--);
    if (made === undefined) return undefined;
    this.#files.add(made);
    if (this.#closing) {
      await this.#remove(made);
      return undefined;
    }
    await made.turn.acquire();
    this.#active.push(made);
    return made;
  }

  #make(): Promise<VolumeFile> {
    const name = `volume-${String(this.#nextNumber++).padStart(10, "0")}`;
    const [id] = crypto.getRandomValues(new Uint32Array(1));
    return VolumeFile.make(`${this.#setup.dir}/${name}`, id!, this.#setup.open);
  }

  #seal(volume: VolumeFile, whole: boolean): void {
    volume.sealed = true;
    this.#active = this.#active.filter((each) => each !== volume);
    if (whole) volume.markEnd();
    this.#removeIfDone(volume);
  }

  /** In the background: what a start finds empty it removes as well. */
  #removeIfDone(volume: VolumeFile): void {
    if (!volume.sealed || volume.live > 0 || !this.#files.has(volume)) return;
    const chore = this.#remove(volume).catch(() => {}).finally(() => this.#chores.delete(chore));
    this.#chores.add(chore);
  }

  async #remove(volume: VolumeFile): Promise<void> {
    await volume.turn.within(async () => {
      if (!this.#files.has(volume)) return;
      // Before, too: whoever closes a file without a name gives back its pages, on the main thread.
      volume.close();
      this.#setup.files.forget(volume.path);
      await Deno.remove(volume.path).catch((error) => {
        if (codeOf(error) !== "ENOENT") throw error;
      });
      this.#setup.files.forget(volume.path);
      await syncFolder(this.#setup.dir);
      this.#files.delete(volume);
    });
  }
}

/** In the order in which they were made. */
async function namesIn(dir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(dir)) if (NAME.test(name)) names.push(name);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  return names.sort();
}

/** Another process may remove it meanwhile, where this one only reads. */
async function openIfThere(path: string, { open, readOnly }: VolumesSetup) {
  return await VolumeFile.open(path, open, readOnly).catch((error) => {
    if (readOnly && codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
}
