import { Prng } from "../simulation/prng.ts";

/** Fails on about every fourth seed of ten events: a harness that sees nothing is noticed. */
export function canary(seed: string, eventsMax: number): void {
  const prng = new Prng(`${seed}/canary`);
  for (let event = 0; event < eventsMax; event++) {
    if (prng.below(32) === 0) throw new Error("the canary sings");
  }
}
