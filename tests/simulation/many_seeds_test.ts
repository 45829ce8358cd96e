/**
 * Seeds by the thousand, on all processors: KAFSCALE_SIM_COUNT of them (default 2,400, of which
 * 2,100 are clusters). They are the same each time, so what fails was broken by a change; with
 * KAFSCALE_SIM_SEED=fresh they are drawn, else that sets the first. On a machine that is too slow
 * for all of them it says how many it ran.
 */
import { assert, assertEquals } from "@std/assert";
import { type Campaign, commandOf, run } from "./campaign.ts";
import { drawnSeed } from "./main.ts";

const COUNT = Number(Deno.env.get("KAFSCALE_SIM_COUNT") ?? "2400");
const SEED = Deno.env.get("KAFSCALE_SIM_SEED") ?? "2000000";
/** Together these take no longer, whatever the machine: CI has a limit. */
const LIMIT_MS = 12 * 60_000;

/** Parts of the whole. */
const CAMPAIGNS: Readonly<Record<string, Pick<Campaign, "brokers" | "adjust"> & { part: number }>> =
  {
    "clusters": { brokers: 0, part: 24 / 32 },
    "clusters whose dead brokers wake up beside their successors": {
      brokers: 0,
      adjust: "doubles",
      part: 1 / 32,
    },
    "clusters cut off from metadata, with clients that go astray": {
      brokers: 0,
      adjust: "strays",
      part: 1 / 32,
    },
    "clusters whose metadata goes back": { brokers: 0, adjust: "restores", part: 1 / 32 },
    "clusters with reads from followers": { brokers: 0, adjust: "racks", part: 1 / 32 },
    "single brokers": { brokers: 1, part: 2 / 16 },
  };

for (const [name, { part, ...world }] of Object.entries(CAMPAIGNS)) {
  Deno.test(`simulation of many ${name} keeps all invariants`, async () => {
    const count = Math.ceil(COUNT * part);
    const campaign = {
      ...world,
      first: SEED === "fresh" ? drawnSeed() : SEED,
      count,
      limitMs: LIMIT_MS * part,
    };
    console.log(`simulation: ${name}: ${commandOf(campaign)}`);
    const startMs = performance.now();
    const { ran, failures } = await run(campaign);
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
    console.log(`simulation: ${name}: ${ran} of ${count} seeds in ${seconds} s`);
    assert(ran > 0, "nothing was run");
    assertEquals(failures, [], `${failures.length} seeds failed`);
  });
}
