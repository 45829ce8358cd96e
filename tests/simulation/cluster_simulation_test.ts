/**
 * Three to five brokers that share store and metadata: fixed seeds, one seed twice, brokers with
 * planted faults, and fresh seeds within KAFSCALE_SIM_SECONDS (as simulation_test.ts has it).
 */
import { assert, assertEquals } from "@std/assert";
import { doubles, restores, sleepers, strays } from "./adjustments.ts";
import { freshSeeds } from "./fresh_seeds.ts";
import { replayOf } from "./main.ts";
import { BLIND_WRITES, type Sabotage, WITHOUT_SEALS } from "./sabotage.ts";
import { type RunOptions, type RunResult, simulate } from "./simulation.ts";

const FIXED: RunOptions[] = [
  ...["1", "2", "3", "5"].map((seed) => ({ seed })),
  { seed: "8", adjust: doubles },
  { seed: "13", adjust: doubles },
  { seed: "7", brokers: 3, adjust: strays },
  ...["r10", "r11", "r35"].map((seed) => ({ seed, adjust: restores })),
];

async function right(options: RunOptions): Promise<RunResult> {
  const result = await simulate({ brokers: 0, ...options });
  const replay = `replay: deno task simulate ${replayOf(options.seed, options.brokers ?? 0)}`;
  assert(result.problems.length === 0, [...result.problems.slice(0, 10), replay].join("\n"));
  assert(result.history.finals.length > 0, "nothing was checked");
  return result;
}

/** What clusters meet, by the line that says so. */
const SIGHTS: Record<string, RegExp> = {
  "a take-over of what a dead broker left": /sealed the chain of another .*"slots":[1-9]/,
  "a broker that finds itself replaced": /cannot go on: FencedError/,
  "a newer process with the same id": /a newer process has this broker's id/,
  "a lost lease": /this broker's lease was lost/,
  "a drained broker": /info drained .*"left":0\}/,
  "metadata that went back": /operator has restored metadata/,
  "a wanted move": /operator wants a leader to move/,
  "a lost controller": /is lost as the controller/,
  "a former chain at its end": /swept the chain of a former broker/,
};

Deno.test("simulation of clusters keeps all invariants, and meets what it is for", async () => {
  const met = new Set<string>();
  let led = 0;
  for (const options of FIXED) {
    const { lines, history } = await right(options);
    for (const [sight, pattern] of Object.entries(SIGHTS)) {
      if (lines.some((line) => pattern.test(line))) met.add(sight);
    }
    const { cuts, produced } = history;
    led += produced.filter((call) =>
      call.outcome === "acked" && cuts.some(({ incarnation, from, to }) =>
        incarnation === call.incarnation && from < call.start && to > call.end
      )
    ).length;
  }
  assertEquals(Object.keys(SIGHTS).filter((sight) => !met.has(sight)), []);
  assert(led > 0, "I10: nobody produced to a broker that metadata was out of reach for");
});

Deno.test("simulation of one cluster twice gives the same lines, byte for byte", async () => {
  const first = await simulate({ seed: "4", brokers: 4 });
  const second = await simulate({ seed: "4", brokers: 4 });
  assertEquals(first.lines.join("\n"), second.lines.join("\n"));
  assert(first.lines[0]!.includes("4 brokers"), first.lines[0]);
});

const planted: Record<string, [Sabotage, RegExp]> = {
  "brokers that take over without sealing": [WITHOUT_SEALS, /^I[126]/],
  "brokers that write records of leaders blindly": [BLIND_WRITES, /^I[126]/],
};

for (const [title, [sabotage, broken]] of Object.entries(planted)) {
  Deno.test(`simulation sees ${title}`, async () => {
    const seen: string[] = [];
    for (const seed of ["6", "9", "11", "12"]) {
      const { problems } = await simulate({ seed, brokers: 3, sabotage, adjust: sleepers });
      seen.push(...problems);
      if (problems.some((problem) => broken.test(problem))) return;
    }
    assert(false, `a planted fault was not seen: ${seen.slice(0, 5).join("; ")}`);
  });
}

Deno.test("simulation of fresh clusters keeps all invariants", async () => {
  await freshSeeds("clusters", 0.5, (seed) => right({ seed }));
});
