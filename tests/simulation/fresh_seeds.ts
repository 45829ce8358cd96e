import { freshSeed, seedAt } from "./main.ts";

/**
 * Runs seeds that nobody has seen, for a share of KAFSCALE_SIM_SECONDS (default 20; 0 leaves them
 * out). KAFSCALE_SIM_SEED sets the first of them.
 */
export async function freshSeeds(
  what: string,
  share: number,
  run: (seed: string) => Promise<unknown>,
): Promise<void> {
  const budgetMs = share * 1_000 * Number(Deno.env.get("KAFSCALE_SIM_SECONDS") ?? "20");
  const first = freshSeed();
  console.log(`simulation: ${what}, fresh seeds from ${first} on`);
  const endMs = performance.now() + budgetMs;
  let runs = 0;
  for (; performance.now() < endMs; runs++) await run(seedAt(first, runs));
  console.log(`simulation: ${what}, ${runs} fresh seeds`);
}
