/** The runner of the tests: on small trees of its own, and what it makes of this one. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { closingLines, jobsOf, selection, testFiles } from "./everyday.ts";
import { inLanes, nextJob } from "./lanes.ts";
import { mannerOf } from "./run_tests.ts";
import { errorsIn, failedTests, parseSummary, skippedTests } from "./test_run.ts";
import { LONG, SIZES } from "./test_sizes.ts";

const HERE = new URL("./", import.meta.url);

/** What the runner is made of; the sizes are the small tree's own. */
const PARTS = ["run_tests", "everyday", "lanes", "test_run", "tidy", "import_rules"];

/** A tree in which `long_test.ts` is declared to be long, and CI's services do not exist. */
const TREE: Readonly<Record<string, string>> = {
  // the runner's own types are checked in its own tree
  "deno.json": JSON.stringify({ exclude: ["tests/gate"] }),
  "tests/gate/test_sizes.ts": `
    export const SIZES: Readonly<Record<string, readonly [number, number]>> = {
      "tests/a/slow_test.ts": [9, 1],
    };
    export const LONG: Readonly<Record<string, string>> = { "tests/a/long_test.ts": "takes ages" };
    export const EVERYDAY_BUDGETS: Readonly<Record<string, string>> = { BUDGET: "2" };
    `,
  "tests/services/minio.ts": "export const haveMinio = () => false; export const Minio = {};",
  "tests/services/etcd.ts": "export const Etcd = {};",
  "tests/clients/requirement.ts": "export const haveTools = () => false;",
  "tests/a/slow_test.ts": `Deno.test("slow", () => console.log("budget", Deno.env.get("BUDGET")));`,
  "tests/a/long_test.ts": `Deno.test("long", () => {});`,
  "tests/b/quick_test.ts": `Deno.test("quick", () => {}); Deno.test.ignore("odd", () => {});`,
};

interface Ended {
  readonly code: number;
  readonly out: string;
  /** The newest first. */
  readonly last: readonly string[];
}

/** Runs \`deno task test\` on a tree. */
async function runOn(
  more: Readonly<Record<string, string>>,
  args: readonly string[],
  ci = false,
): Promise<Ended> {
  const root = await Deno.makeTempDir({ prefix: "kafscale-runner-" });
  try {
    await Deno.mkdir(`${root}/tests/gate`, { recursive: true });
    for (const name of PARTS) {
      await Deno.copyFile(new URL(`${name}.ts`, HERE), `${root}/tests/gate/${name}.ts`);
    }
    for (const [path, text] of Object.entries({ ...TREE, ...more })) {
      await Deno.mkdir(`${root}/${path.slice(0, path.lastIndexOf("/") + 1)}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    const { CI: _, ...env } = Deno.env.toObject();
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", `${root}/tests/gate/run_tests.ts`, ...args],
      clearEnv: true,
      env: { ...env, NO_COLOR: "1", ...(ci ? { CI: "true" } : {}) },
      stderr: "null",
    }).output();
    const out = new TextDecoder().decode(stdout);
    return { code, out, last: out.trimEnd().split("\n").reverse() };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("deno task test names what failed and the long tests that it left out", async () => {
  const { code, out, last } = await runOn({
    "tests/a/bad_test.ts": `Deno.test("bad", () => { throw new Error("on purpose"); });`,
    "tests/c/typed_test.ts": `Deno.test("typed", () => { const x: number = "a"; void x; });`,
    "tests/d/gone_test.ts": `import "./gone.ts";`,
  }, []);
  assertEquals([code, last[0]], [1, "3 passed, 3 failed, 1 skipped"], out);
  assertEquals(
    last[1],
    "1 files of long tests were NOT RUN, and others ran with smaller budgets (BUDGET=2): CI and " +
      "`deno task test --all` run everything in full",
  );
  assertEquals(last[2], "NOT RUN, it is long: tests/a/long_test.ts (takes ages)");
  assertEquals(last.slice(3, 6).sort(), [
    "FAILED: 1 quick files of tests/d: its tests did not end",
    "FAILED: bad => ./tests/a/bad_test.ts:1:6",
    "FAILED: types (deno check)",
  ]);
  assertStringIncludes(out, "budget 2");
});

Deno.test("deno task test --all leaves out nothing", async () => {
  const { code, out, last } = await runOn({}, ["--all"]);
  assertEquals([code, last[0]], [0, "3 passed, 0 failed, 1 skipped"], out);
  assertStringIncludes(out, "budget undefined");
  assert(!out.includes("NOT RUN"), out);
});

Deno.test("deno task test leaves out nothing in CI, where a skip is a failure", async () => {
  const { code, out, last } = await runOn({}, [], true);
  // there is neither a MinIO nor an etcd for the passes that follow
  assertEquals([code, last[0]], [1, "3 passed, 1 failed, 1 skipped"], out);
  assertStringIncludes(out, "budget undefined");
  assertStringIncludes(out, "in CI a skip is a failure: odd");
  assert(!out.includes("NOT RUN"), out);
});

Deno.test("an everyday run and what it leaves out are the whole tree, each file once", async () => {
  const files = await testFiles();
  assert(files.includes("tests/gate/run_tests_test.ts"));
  for (const everything of [false, true]) {
    const { run, left } = selection(files, everything);
    const inJobs = jobsOf(run).flatMap((job) => job.files);
    assertEquals([...inJobs, ...left].sort(), files);
    assertEquals(left, everything ? [] : Object.keys(LONG).sort());
  }
  for (const named of Object.keys({ ...SIZES, ...LONG })) assert(files.includes(named), named);
  assertEquals([true, false].map((all) => mannerOf(true, all)), ["in turn", "in turn"]);
});

Deno.test("closingLines() repeats what failed, and is short where nothing was left out", () => {
  assertEquals(closingLines(["a => x"], []), ["FAILED: a => x"]);
});

Deno.test("inLanes() runs each job once, within the processors, longer ones first", async () => {
  const jobs = [3, 1, 4, 1, 5, 9, 2, 6].map((seconds, at) => ({
    name: `${at}`,
    seconds,
    cores: at === 4 ? 9 : 0.5 + at % 2,
  }));
  const ran: string[] = [];
  const running = new Set<number>();
  await inLanes(jobs, 2, async ({ name, cores }) => {
    ran.push(name);
    running.add(cores);
    const sum = [...running].reduce((a, b) => a + b, 0);
    assert(sum <= 2 || running.size === 1, `${sum} at once`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running.delete(cores);
  });
  assertEquals(ran.toSorted(), jobs.map(({ name }) => name).sort());
  assertEquals(ran[0], "5");
  assertLess(ran.indexOf("7"), ran.indexOf("3"));
});

Deno.test("inLanes() throws what a job threw, after the others have ended", async () => {
  const ran: number[] = [];
  const jobs = [1, 2].map((seconds) => ({ name: "", seconds, cores: 1 }));
  const failed = await inLanes(jobs, 1, ({ seconds }) => {
    ran.push(seconds);
    return seconds === 2 ? Promise.reject(new Error("no")) : Promise.resolve();
  }).catch((error: Error) => error.message);
  assertEquals([failed, ran], ["no", [2, 1]]);
});

Deno.test("nextJob() waits for processors; what wants more than there is runs alone", () => {
  const jobs = [{ name: "", seconds: 2, cores: 9 }, { name: "", seconds: 1, cores: 1 }];
  assertEquals(nextJob(jobs, 2, false), 1);
  assertEquals(nextJob(jobs, 0.5, false), -1);
  assertEquals(nextJob(jobs, 2, true), 0);
  assertEquals(nextJob([], 2, true), -1);
});

Deno.test("in CI deno task test says at its end what failed, and why", async () => {
  const { code, out } = await runOn(
    {
      "tests/a/bad_test.ts": `Deno.test("bad", () => { throw new Error("on purpose"); });`,
    },
    [],
    true,
  );
  assertEquals(code, 1);
  const end = out.slice(out.indexOf("== what failed\nFAILED: bad => ./tests/a/bad_test.ts"));
  assertStringIncludes(end, "on purpose");
});

Deno.test("failedTests() and errorsIn() read the lists at the end", () => {
  const list = "a => x_test.ts:1:6\ny_test.ts (uncaught error)";
  const output = `a ... FAILED\n\n ERRORS \n\nno\n\n FAILURES \n\n${list}\n\nFAILED | 1 passed\n`;
  assertEquals(failedTests(output), list.split("\n"));
  assertEquals(failedTests("ok | 1 passed | 0 failed (1ms)\n"), []);
  assertEquals(errorsIn(output), ["no"]);
  assertEquals(errorsIn("ok | 1 passed | 0 failed (1ms)\n"), []);
});

Deno.test("parseSummary() reads the counts of deno test's last line", () => {
  const line = "ok | 12 passed (4 steps) | 0 failed | 2 ignored (3s)";
  assertEquals(parseSummary(`x\n${line}\n`), { passed: 12, failed: 0, skipped: 2 });
  assertEquals(parseSummary("FAILED | 1 passed | 2 failed (1 step) (5ms)\n"), {
    passed: 1,
    failed: 2,
    skipped: 0,
  });
  assertEquals(parseSummary("error: nothing\n"), undefined);
});

Deno.test("skippedTests() names what was skipped", () => {
  assertEquals(skippedTests("a b ... ok (1ms)\nc (d) e ... ignored (0ms)\n"), ["c (d) e"]);
});
