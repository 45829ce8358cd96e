/**
 * What the disk under the data directories gives by itself: the limit of any broker that fsyncs.
 */
import { MIB } from "../figures.ts";

const FILE_BYTES = 4 * MIB;

/** MB/s of `files` files of 4 MiB in turn, each created, written and fdatasynced. */
export async function diskProbe(directory: string, files: number): Promise<number> {
  const bytes = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < FILE_BYTES; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  const folder = `${directory}/probe`;
  await Deno.mkdir(folder, { recursive: true });
  const started = performance.now();
  for (let index = 0; index < files; index++) {
    const file = await Deno.open(`${folder}/${index}`, { write: true, createNew: true });
    for (let at = 0; at < FILE_BYTES;) at += await file.write(bytes.subarray(at));
    await file.syncData();
    file.close();
  }
  const seconds = (performance.now() - started) / 1000;
  await Deno.remove(folder, { recursive: true });
  return files * FILE_BYTES / 1e6 / seconds;
}
