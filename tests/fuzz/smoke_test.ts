import { assert } from "@std/assert";
import { FUZZ_TARGETS, type FuzzTarget } from "./targets.ts";

/** Per target; the rest of the time is `main.ts`'s. */
const SMOKE_MS = 600;
const SEEDS_MIN = 8;

/** Fresh seeds each time; FUZZ_SEED repeats a run. */
const firstSeed = Deno.env.get("FUZZ_SEED") ??
  String(crypto.getRandomValues(new Uint32Array(1))[0]);

/** Runs seeds until the time is up; returns the failures by seed. */
function smoke(target: FuzzTarget): Map<string, unknown> {
  const failures = new Map<string, unknown>();
  const end = performance.now() + SMOKE_MS;
  for (let run = 0; run < SEEDS_MIN || (run < 1000 && performance.now() < end); run++) {
    const seed = `${firstSeed}-${run}`;
    try {
      target.run(seed, target.smokeEvents);
    } catch (error) {
      failures.set(seed, error);
      if (target.mustFail === undefined) break;
    }
  }
  return failures;
}

for (const target of FUZZ_TARGETS) {
  Deno.test(`fuzz ${target.name} ${target.mustFail ? "fails on some seeds" : "holds"}`, () => {
    const failures = smoke(target);
    if (target.mustFail) {
      assert(failures.size > 0, "the harness does not see failures");
      return;
    }
    for (const [seed, error] of failures) {
      console.error(`repeat: deno run -A tests/fuzz/main.ts ${target.name} ${seed}`);
      throw error;
    }
  });
}
