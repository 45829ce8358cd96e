import { assert, assertEquals } from "@std/assert";
import { withRacks } from "./cluster_plan.ts";
import { simulate } from "./simulation.ts";

/** Seeds in which followers have much to show. */
const SEEDS = ["rk1+3", "rk1+9"];

Deno.test("followers show what others see, through all faults", async () => {
  let followed = 0;
  for (const seed of SEEDS) {
    const { problems, history } = await simulate({ seed, brokers: 0, adjust: withRacks });
    assertEquals(problems, [], `seed ${seed}`);
    followed += history.followed;
  }
  assert(followed > 0, "no record came from a follower");
});
