/** One `deno test` as a process, and what it says. */

const ROOT = new URL("../../", import.meta.url);

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TestRun {
  /** Undefined where nothing was run. */
  readonly counts: Counts | undefined;
  /** All that it wrote; what it wrote as errors comes last. */
  readonly output: string;
}

/** Names of the tests that were skipped. */
export function skippedTests(output: string): string[] {
  return [...output.matchAll(/^(.+?) \.\.\. ignored \(/gm)].map(([, name]) => name!);
}

/** Failed tests and broken files, as the list at the end of a run has them. */
export function failedTests(output: string): string[] {
  const list = output.split(/^ FAILURES $/m).at(-1)!;
  if (list === output) return [];
  const lines = list.split(/^(?:FAILED|ok) \|/m)[0]!.split("\n");
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** Lines of a run's errors that are said again at its end. */
const ERROR_LINES = 60;
const ERROR_COLUMNS = 240;

/** What went wrong in the failed tests, as the run itself says it, cut to what one can read. */
export function errorsIn(output: string): string[] {
  const errors = output.split(/^ ERRORS $/m).at(-1)!;
  if (errors === output) return [];
  const lines = errors.split(/^ FAILURES $/m)[0]!.trim().split("\n");
  return lines.slice(0, ERROR_LINES).map((line) => line.slice(0, ERROR_COLUMNS));
}

/** The counts in `deno test`'s summary line; `undefined` where there is none. */
export function parseSummary(output: string): Counts | undefined {
  const counts = /\| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(.*)/;
  const line = output.split("\n").findLast((each) => counts.test(each));
  if (line === undefined) return undefined;
  const [, passed, failed, rest] = counts.exec(line)!;
  const skipped = /(\d+) ignored/.exec(rest!)?.[1] ?? "0";
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}

/** Leaked timers and sockets fail a test: on by default up to Deno 2.7, by these flags from 2.8. */
function sanitizers(): string[] {
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  return major! > 2 || minor! >= 8 ? ["--sanitize-ops", "--sanitize-resources"] : [];
}

/** Reads a stream to its end, and copies it to `to` as it comes. */
async function read(
  from: ReadableStream<Uint8Array>,
  to: typeof Deno.stdout | undefined,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    text += decoder.decode(chunk, { stream: true });
    for (let at = 0; to !== undefined && at < chunk.length;) {
      at += await to.write(chunk.subarray(at));
    }
  }
  return text;
}

/** Runs this Deno; `show`: its output is passed on as it comes. */
export async function runDeno(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly show?: boolean } = {},
): Promise<{ readonly success: boolean; readonly output: string }> {
  const { env = {}, show = false } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [out, err, { success }] = await Promise.all([
    read(child.stdout, show ? Deno.stdout : undefined),
    read(child.stderr, show ? Deno.stderr : undefined),
    child.status,
  ]);
  return { success, output: out + err };
}

/** One `deno test`. */
export async function runTests(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly show?: boolean } = {},
): Promise<TestRun> {
  const all = ["test", "--allow-all", "--no-prompt", ...sanitizers(), ...args];
  const { success, output } = await runDeno(all, options);
  const summary = parseSummary(output);
  if (summary === undefined) return { counts: undefined, output };
  // a failure outside of any test is one, too
  const failed = Math.max(summary.failed, success ? 0 : 1);
  return { counts: { ...summary, failed }, output };
}
