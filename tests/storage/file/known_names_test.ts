/** A create asks no disk where it knows that a name is free: it must never believe so in vain. */
import { assertEquals } from "@std/assert";
import { openFileStore } from "../../../drivers/storage/file/driver.ts";
import { Prng } from "../../simulation/prng.ts";
import { inFolder } from "./journal_folder.ts";

const LANES = 12;
const STEPS = 60;
const SMALL = 300;
/** Goes without the journal, straight to a file. */
const LARGE = 200 * 1024;

Deno.test("putIfAbsent() knows files, journalled objects and deletions", async () => {
  const seed = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  await inFolder(async (dir) => {
    // Journals so small that they are checkpointed, and full, all the time.
    const store = await openFileStore({ dir, journal: { bytes: 16 * 1024 } });
    /** A key for each lane, so that its history is one; folders are shared, and pruned. */
    const lane = async (at: number) => {
      const prng = new Prng(`${seed}/${at}`);
      const key = `f${at % 3}/g${at % 2}/${at}`;
      let held: number | undefined;
      for (let step = 1; step <= STEPS; step++) {
        const bytes = prng.chance(0.3) ? LARGE : SMALL;
        const body = [new Uint8Array(bytes).fill(step)];
        const where = `seed ${seed}, ${key}, step ${step}`;
        if (prng.chance(0.4)) {
          await store.delete([key]);
          held = undefined;
        } else if (prng.chance(0.2)) {
          await store.put(key, body);
          held = step;
        } else {
          const outcome = await store.putIfAbsent(key, body);
          assertEquals(outcome, held === undefined ? "created" : "exists", where);
          held ??= step;
        }
        assertEquals((await store.get(key, undefined))?.[0], held, where);
      }
      return held;
    };
    const held = await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
    await store.close();
    const again = await openFileStore({ dir });
    for (const [at, step] of held.entries()) {
      const key = `f${at % 3}/g${at % 2}/${at}`;
      assertEquals(
        (await again.get(key, undefined))?.[0],
        step,
        `seed ${seed}, ${key}, at the end`,
      );
    }
    await again.close();
  });
});

Deno.test("putIfAbsent() meets an object that a checkpoint made a file of", async () => {
  await inFolder(async (dir) => {
    const store = await openFileStore({ dir, journal: { bytes: 16 * 1024 } });
    const body = [new Uint8Array(SMALL)];
    for (let n = 0; n < 200; n++) assertEquals(await store.putIfAbsent(`w/${n}`, body), "created");
    for (let n = 0; n < 200; n++) assertEquals(await store.putIfAbsent(`w/${n}`, body), "exists");
    await store.close();
  });
});
