/**
 * Memory as on a machine that has run for a while: full of what was read from files. The host of a
 * virtual machine takes free memory back, and the first write to a page that it has to give again
 * takes ten times as long as the next: who is measured first would pay for it.
 */
import { MIB } from "../figures.ts";

const READ_BYTES = 4 * MIB;
/** The kernel begins to make room at about so much. */
const FREE_ENOUGH_BYTES = 512 * MIB;

/** Reads a file of holes until hardly any memory is free; it holds that until it is removed. */
export async function fillMemory(directory: string): Promise<void> {
  const file = await Deno.open(`${directory}/holes`, { read: true, write: true, create: true });
  try {
    await file.truncate(Deno.systemMemoryInfo().total);
    const bytes = new Uint8Array(READ_BYTES);
    while (Deno.systemMemoryInfo().free > FREE_ENOUGH_BYTES) {
      if (await file.read(bytes) === null) break;
    }
  } finally {
    file.close();
  }
}
