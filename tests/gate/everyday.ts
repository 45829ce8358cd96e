/**
 * The everyday run: the tests of all files beside each other, but for a declared list of long ones,
 * which it names; and with smaller budgets, which it names, too. `--all` leaves nothing out.
 */
import { inLanes, type Job } from "./lanes.ts";
import { type Counts, failedTests, runDeno, runTests } from "./test_run.ts";
import { EVERYDAY_BUDGETS, LONG, SIZES } from "./test_sizes.ts";
import { treeFiles } from "./tidy.ts";

/** Of a quick file, its part of the process's start included. */
const QUICK_SECONDS = 0.4;
/** What waits in one job leaves processors to others: this many times as many jobs' worth. */
const LOAD = 1.25;

export interface TestJob extends Job {
  readonly files: readonly string[];
}

/** What Deno takes for a test file by its name. */
const TEST_FILE = /(^|[/._])test\.[cm]?[jt]sx?$/;

/** Every test file of the tree, by path. */
export async function testFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const { path } of treeFiles()) if (TEST_FILE.test(path)) files.push(path);
  return files.sort();
}

/** The files in jobs: each in one of them. */
export function jobsOf(files: readonly string[]): TestJob[] {
  const jobs: TestJob[] = [];
  const quick = new Map<string, string[]>();
  for (const file of files) {
    const size = SIZES[file];
    if (size !== undefined) {
      jobs.push({ name: file, files: [file], seconds: size[0], cores: size[1] });
    } else {
      const folder = file.split("/").slice(0, 2).join("/");
      quick.set(folder, [...quick.get(folder) ?? [], file]);
    }
  }
  for (const [folder, files] of quick) {
    const seconds = files.length * QUICK_SECONDS;
    jobs.push({ name: `${files.length} quick files of ${folder}`, files, seconds, cores: 1 });
  }
  return jobs;
}

/** What a run of the whole tree runs, and what it leaves out. */
export function selection(
  files: readonly string[],
  everything: boolean,
): { readonly run: string[]; readonly left: string[] } {
  const isLeft = (file: string) => !everything && file in LONG;
  return { run: files.filter((file) => !isLeft(file)), left: files.filter(isLeft) };
}

/** The last lines before the counts: what failed, and what was not run. */
export function closingLines(failed: readonly string[], left: readonly string[]): string[] {
  const lines = failed.map((name) => `FAILED: ${name}`);
  if (left.length === 0) return lines;
  const budgets = Object.entries(EVERYDAY_BUDGETS).map(([name, value]) => `${name}=${value}`);
  return [
    ...lines,
    ...left.map((file) => `NOT RUN, it is long: ${file} (${LONG[file]})`),
    `${left.length} files of long tests were NOT RUN, and others ran with smaller budgets ` +
    `(${budgets.join(", ")}): CI and \`deno task test --all\` run everything in full`,
  ];
}

/** Runs the tree's tests, all or those of every day, and says what happened in the end. */
export async function runBesideEachOther(seed: string, everything: boolean): Promise<Counts> {
  const { run, left } = selection(await testFiles(), everything);
  const env = everything ? {} : EVERYDAY_BUDGETS;
  const total = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const fail = (what: string) => {
    total.failed++;
    failures.push(what);
  };
  // types are checked once for all, beside the tests that mostly wait
  const types: TestJob = { name: "types", files: [], seconds: Infinity, cores: 1 };
  const jobs = [types, ...jobsOf(run)];
  let ended = 0;
  await inLanes(jobs, navigator.hardwareConcurrency * LOAD, async (job) => {
    const started = performance.now();
    if (job === types) {
      const { success, output } = await runDeno(["check", "--quiet", "."]);
      report(job, output);
      if (!success) fail("types (deno check)");
      return;
    }
    const args = ["--no-check", `--shuffle=${seed}`, ...job.files];
    const { counts, output } = await runTests(args, { env });
    report(job, output);
    if (counts === undefined) return fail(`${job.name}: its tests did not end`);
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts[key];
    failures.push(...failedTests(output));

    function report({ name }: TestJob, output: string): void {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`== ${++ended} of ${jobs.length}: ${name}, ${seconds} s\n${output.trim()}`);
    }
  });
  for (const line of closingLines(failures, left)) console.log(line);
  return total;
}
