/**
 * `deno task simulate --seed N [--brokers B] [--count M] [--adjust NAME] [--verbose]`: runs M seeds
 * from N on (a seed is any text; without one a fresh one is drawn), printing each, and what it
 * makes of the world, before it runs. `--brokers`: 1 unless said, or `any` for 3 to 5 as the seed
 * says. `--adjust`: of clusters, one kind of trouble is all about (`adjustments.ts`). Exit code 1
 * where one fails.
 */
import { parseArgs } from "@std/cli/parse-args";
import { ADJUSTMENTS } from "./adjustments.ts";
import { BROKERS_MAX } from "./cluster_plan.ts";
import { simulate } from "./simulation.ts";

const USAGE = "usage: deno task simulate [--seed N] [--brokers B|any] [--count M] [--verbose]\n" +
  `         [--adjust ${Object.keys(ADJUSTMENTS).join("|")}]`;

async function main(args: string[]): Promise<number> {
  const flags = parseArgs(args, {
    string: ["seed", "count", "brokers", "adjust"],
    boolean: ["verbose", "help"],
    default: { count: "1", brokers: "1" },
  });
  const count = Number(flags.count);
  const brokers = flags.brokers === "any" ? 0 : Number(flags.brokers);
  const adjustment = flags.adjust === undefined ? undefined : String(flags.adjust);
  const adjust = adjustment === undefined ? undefined : ADJUSTMENTS[adjustment];
  const right = Number.isInteger(count) && count >= 1 && Number.isInteger(brokers) &&
    brokers >= 0 && brokers <= BROKERS_MAX &&
    (adjustment === undefined || (adjust !== undefined && brokers !== 1));
  if (flags.help || !right) {
    console.log(USAGE);
    return flags.help ? 0 : 1;
  }
  const first = String(flags.seed ?? drawnSeed());
  let failed = 0;
  const met: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const seed = seedAt(first, at);
    console.log(`seed ${seed}`);
    const startMs = performance.now();
    let lines = 0;
    const onLine = (line: string) => {
      if (flags.verbose || lines++ === 0) console.log("  " + line);
    };
    const result = await simulate({ seed, brokers, onLine, ...adjust && { adjust } });
    if (adjustment === "racks") console.log(`  ${result.history.followed} records of followers`);
    const tookMs = Math.round(performance.now() - startMs);
    if (!flags.verbose) console.log(`  ${result.lines.at(-1)}`);
    for (const [mark, times] of Object.entries(result.marks)) {
      met[mark] = (met[mark] ?? 0) + times;
    }
    console.log(`  ${Math.round(result.virtualMs)} virtual ms in ${tookMs} ms`);
    if (result.problems.length === 0) continue;
    failed++;
    for (const problem of result.problems.slice(0, 20)) console.log(`  FAILED: ${problem}`);
    console.log(`  replay: deno task simulate ${replayOf(seed, brokers, adjustment)}`);
  }
  console.log(`met: ${Object.entries(met).map((each) => each.join(" ")).join(", ")}`);
  if (failed > 0) console.log(`${failed} of ${count} seeds failed`);
  return failed > 0 ? 1 : 0;
}

/** What repeats a run. */
export function replayOf(seed: string, brokers = 1, adjust?: string): string {
  return `${argumentsOf(seed, brokers, adjust).join(" ")} --verbose`;
}

/** The arguments that say which world it is. */
export function argumentsOf(seed: string, brokers = 1, adjust?: string): string[] {
  const cluster = brokers === 1 ? [] : ["--brokers", brokers === 0 ? "any" : String(brokers)];
  return ["--seed", seed, ...cluster, ...adjust === undefined ? [] : ["--adjust", adjust]];
}

/** The same, unless KAFSCALE_SIM_SEED says which it is. */
export function freshSeed(): string {
  return Deno.env.get("KAFSCALE_SIM_SEED") ?? drawnSeed();
}

/** A seed that nobody has seen. */
export function drawnSeed(): string {
  return String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** The `at`-th seed from `first` on: numbers count up. */
export function seedAt(first: string, at: number): string {
  return /^\d{1,15}$/.test(first)
    ? String(Number(first) + at)
    : at === 0
    ? first
    : `${first}+${at}`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
