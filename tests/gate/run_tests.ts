/**
 * `deno task test`: every test, in an order drawn from a seed that is printed first. Arguments go
 * to `deno test` (`deno task test tests/log --filter append`); `--shuffle=SEED` repeats an order.
 * `--binary FILE` runs that compiled broker wherever a test starts one, in the tests named behind
 * it, or else in those that show whether a binary is whole.
 * The last line is `N passed, N failed, N skipped`; with CI=true a skipped test is a failure.
 */

const ROOT = new URL("../../", import.meta.url);

/** What runs on a binary: itself, its command line, and clients in three languages. */
const BINARY_TESTS: readonly string[] = [
  "tests/deploy/binary_test.ts",
  "tests/cli",
  "tests/docs",
  ...["java", "kafkajs", "kcat", "kill9", "restart"].map((each) => `tests/clients/${each}_test.ts`),
];

/** Names of the tests that were skipped. */
export function skippedTests(output: string): string[] {
  return [...output.matchAll(/^(.+?) \.\.\. ignored \(/gm)].map(([, name]) => name!);
}

/** The counts in `deno test`'s summary line; `undefined` where there is none. */
export function parseSummary(output: string) {
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

/** Copies a stream to ours as it comes and returns all of it. */
async function tee(from: ReadableStream<Uint8Array>, to: typeof Deno.stdout): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    text += decoder.decode(chunk, { stream: true });
    for (let at = 0; at < chunk.length;) at += await to.write(chunk.subarray(at));
  }
  return text;
}

/** Splits `--binary FILE` off; its path from here on is absolute. */
async function takeBinary(args: readonly string[]): Promise<[string | undefined, string[]]> {
  const at = args.indexOf("--binary");
  if (at < 0) return [undefined, [...args]];
  const file = args[at + 1];
  if (file === undefined) throw new Error("--binary needs a file, such as dist/kafscale");
  const path = await Deno.realPath(file).catch(() => {
    throw new Error(`there is no ${file}; deno task compile makes one`);
  });
  const rest = args.toSpliced(at, 2);
  const named = rest.some((arg) => !arg.startsWith("-"));
  return [path, named ? rest : [...rest, ...BINARY_TESTS]];
}

async function main(argv: readonly string[]): Promise<number> {
  const [binary, args] = await takeBinary(argv);
  const given = args.find((arg) => arg.startsWith("--shuffle"));
  const seed = given?.split("=")[1] ?? String(crypto.getRandomValues(new Uint16Array(1))[0]);
  if (binary !== undefined) console.log(`the broker is ${binary}`);
  console.log(`test order: seed ${seed} (deno task test --shuffle=${seed} repeats it)`);
  const rest = args.filter((arg) => arg !== given);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-prompt", ...sanitizers(), `--shuffle=${seed}`, ...rest],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...(binary && { KAFSCALE_TEST_BINARY: binary }) },
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const [output, , status] = await Promise.all([
    tee(child.stdout, Deno.stdout),
    tee(child.stderr, Deno.stderr),
    child.status,
  ]);
  const summary = parseSummary(output);
  if (summary === undefined) {
    console.log("no test was run");
    return status.success ? 1 : status.code;
  }
  const { passed, failed, skipped } = summary;
  const refused = Deno.env.get("CI") === "true" ? skippedTests(output) : [];
  for (const name of refused) console.log(`in CI a skip is a failure: ${name}`);
  console.log(`${passed} passed, ${failed + refused.length} failed, ${skipped} skipped`);
  return status.success && refused.length === 0 ? 0 : status.code || 1;
}

if (import.meta.main) {
  const failed = (error: Error) => {
    console.error(`test: ${error.message}`);
    return 1;
  };
  Deno.exit(await main(Deno.args).catch(failed));
}
