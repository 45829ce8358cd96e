/**
 * Runs fuzz targets for as long as one likes: `deno run -A tests/fuzz/main.ts [TARGET [SEED]]`.
 * Without a seed it draws one after the other until a property breaks, and prints which broke it.
 */
import { FUZZ_TARGETS } from "./targets.ts";

const [name, seed] = Deno.args;
const targets = FUZZ_TARGETS.filter((target) =>
  name === undefined ? target.mustFail === undefined : target.name === name
);
if (targets.length === 0) {
  console.error(`no such target; one of ${FUZZ_TARGETS.map((each) => each.name).join(", ")}`);
  Deno.exit(2);
}
for (let run = 0;; run++) {
  const drawn = seed ?? String(crypto.getRandomValues(new Uint32Array(1))[0]);
  for (const target of targets) {
    try {
      target.run(drawn, target.smokeEvents);
    } catch (error) {
      console.error(`${target.name} fails on seed ${drawn}, run ${run}`);
      throw error;
    }
  }
  if (seed !== undefined) break;
  if (run % 100 === 99) console.log(`${run + 1} seeds hold`);
}
