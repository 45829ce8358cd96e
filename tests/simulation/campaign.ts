/**
 * Seeds by the thousand: `deno task simulate` in one process per core, a piece of the seeds at a
 * time, so that every failure comes with the command that repeats it.
 */
import { argumentsOf, replayOf, seedAt } from "./main.ts";

/** Long enough that a process's start is nothing, short enough that all processors end together. */
const PIECE = 40;

export interface Campaign {
  readonly first: string;
  readonly count: number;
  /** As `simulate` has it; 0: 3 to 5, as the seed says. */
  readonly brokers: number;
  /** One of `ADJUSTMENTS`. */
  readonly adjust?: string;
  /** Nothing is begun after that. */
  readonly limitMs?: number;
  readonly piece?: number;
}

export interface CampaignResult {
  /** Seeds that were run to their end. */
  readonly ran: number;
  /** What each seed that failed has to say, and how to repeat it. */
  readonly failures: readonly string[];
}

/** Runs a campaign; what fails is printed at once, too. */
export async function run(campaign: Campaign): Promise<CampaignResult> {
  const { first, count, piece = PIECE, limitMs = Infinity } = campaign;
  const endMs = performance.now() + limitMs;
  const failures: string[] = [];
  let next = 0;
  let ran = 0;
  const lane = async () => {
    while (next < count && performance.now() < endMs) {
      const from = next;
      next = Math.min(count, from + piece);
      const ended = await runPiece(campaign, seedAt(first, from), next - from);
      ran += ended.ran;
      for (const failure of ended.failures) console.log(failure);
      failures.push(...ended.failures);
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, lane));
  return { ran, failures };
}

/** How one repeats all of it at once. */
export function commandOf({ first, count, brokers, adjust }: Campaign): string {
  return `deno task simulate ${argumentsOf(first, brokers, adjust).join(" ")} --count ${count}`;
}

async function runPiece(
  { brokers, adjust }: Campaign,
  first: string,
  count: number,
): Promise<CampaignResult> {
  const main = new URL("main.ts", import.meta.url).pathname;
  const args = [...argumentsOf(first, brokers, adjust), "--count", String(count)];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", main, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  const result = resultOf(text.decode(stdout));
  const ended = code === 0 || (result.failures.length > 0 && result.ran === count);
  if (ended) return result;
  const last = [...text.decode(stdout).matchAll(/^seed (.+)$/gm)].at(-1)?.[1] ?? first;
  const replay = `  replay: deno task simulate ${replayOf(last, brokers, adjust)}`;
  const died = [`seed ${last}: the process ended with code ${code}`, text.decode(stderr), replay];
  return { ...result, failures: [...result.failures, died.join("\n")] };
}

/** From what `simulate` printed: each seed from its line to the next one's. */
export function resultOf(output: string): CampaignResult {
  const seeds = output.split(/^(?=seed .+$)/m).filter((part) => part.startsWith("seed "));
  const ran = seeds.filter((part) => /^ {2}\d+ virtual ms in \d+ ms$/m.test(part)).length;
  const failures = seeds.filter((part) => part.includes("\n  FAILED: "))
    .map((part) => part.replace(/^met: [^]*$/m, "").trimEnd());
  return { ran, failures };
}
