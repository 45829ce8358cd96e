/**
 * `deno task test`: the tests, several files beside each other, in an order drawn from a seed that
 * is printed first. It leaves out a few long ones (test_sizes.ts) and says so; `--all` does not. In
 * CI nothing is left out, and files run one after the other. Arguments go to `deno test`
 * (`deno task test tests/log --filter append`); `--shuffle=SEED` repeats an order.
 * `--store minio` or `--store s3` runs the client suites with brokers on a real MinIO, but those
 * that bring a cluster of their own; in CI that comes after everything else, with either driver.
 * `--cluster` runs the client suites against three brokers on a real etcd and a real MinIO; in CI
 * that comes last.
 * `--binary FILE` runs that compiled broker wherever a test starts one, in the tests named behind
 * it, or else in those that show whether a binary is whole: first on a directory, with etcd in
 * some; then, fewer of them, on a MinIO with either driver.
 * The last line is `N passed, N failed, N skipped`; with CI=true a skipped test is a failure.
 */
import { existsSync } from "node:fs";
import { runBesideEachOther } from "./everyday.ts";
import { type Counts, errorsIn, failedTests, runTests, skippedTests } from "./test_run.ts";

const ROOT = new URL("../../", import.meta.url);
const IN_CI = Deno.env.get("CI") === "true";
const BUCKET_DRIVERS: readonly string[] = ["minio", "s3"];

const testsIn = (folder: string, ...names: string[]) =>
  names.map((each) => `tests/${folder}/${each}_test.ts`);

/** Clients that find the leaders of a cluster by themselves. */
const CLUSTER_TESTS = testsIn(
  "clients",
  ...["java", "kafkajs", "platformatic", "librdkafka_node", "confluent_python", "kafka_python"],
  ...["franz_go", "sarama", "kafka_go", "kcat", "kafka_tools"],
);

/** Where brokers keep their objects is their own affair: on one MinIO they would run once more. */
const OWN_CLUSTER_TESTS = testsIn(
  "clients",
  ...["cluster", "cluster_outage", "cluster_tools", "drain", "racks", "satellite"],
);

/**
 * What runs on a binary: itself, its commands, the pages for operators, clients, restarts, etcd.
 * What compiling cannot change is left to the tests from source: the whole takes a few minutes.
 */
const BINARY_TESTS: readonly string[] = [
  ...testsIn("deploy", "binary", "lost_store"),
  ...testsIn("cli", "broker_commands", "bucket_start", "command_line", "configs", "groups"),
  ...testsIn("cli", "probe", "snapshot", "top"),
  "tests/docs",
  ...testsIn("clients", "java", "kafkajs", "kcat", "kill9", "restart", "etcd", "ops_page"),
  ...testsIn("clients", "control", "scheduled_snapshot"),
];

/** What of it runs with objects in a bucket, by driver. */
const BINARY_TESTS_IN_BUCKET: Readonly<Record<string, readonly string[]>> = {
  minio: testsIn("clients", "java", "kcat", "kill9"),
  s3: testsIn("clients", "kcat", "restart"),
};

/** Splits `--binary FILE` off; its path from here on is absolute. */
async function takeBinary(args: readonly string[]): Promise<[string | undefined, string[]]> {
  const at = args.indexOf("--binary");
  if (at < 0) return [undefined, [...args]];
  const file = args[at + 1];
  if (file === undefined) throw new Error("--binary needs a file, such as dist/kafscale");
  const path = await Deno.realPath(file).catch(() => {
    throw new Error(`there is no ${file}; deno task compile makes one`);
  });
  return [path, args.toSpliced(at, 2)];
}

/** Whether there are paths among the arguments, and not only options and their values. */
function namesTests(args: readonly string[]): boolean {
  return args.some((arg) => existsSync(new URL(arg, ROOT)));
}

/** What failed so far, in lines: said again at the end, thousands of lines later. */
const failures: string[] = [];

/** One `deno test`, shown as it runs; undefined where it ran nothing. In CI skips are failures. */
async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Counts | undefined> {
  const { counts, output } = await runTests(args, { env, show: true });
  if (counts === undefined) {
    console.log("no test was run");
    return undefined;
  }
  const refused = IN_CI ? skippedTests(output) : [];
  for (const name of refused) console.log(`in CI a skip is a failure: ${name}`);
  if (counts.failed > 0) {
    const on = ["KAFSCALE_TEST_STORE", "KAFSCALE_TEST_CLUSTER", "KAFSCALE_TEST_BINARY"]
      .filter((name) => name in env).map((name) => ` (${name})`).join("");
    failures.push(...failedTests(output).map((name) => `FAILED${on}: ${name}`));
    failures.push(...errorsIn(output));
  }
  return { ...counts, failed: counts.failed + refused.length };
}

/** Runs `args`, or the client suites, with brokers that keep their objects on a MinIO. */
async function runOnMinio(
  driver: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Counts | undefined> {
  const { haveMinio, Minio } = await import("../services/minio.ts");
  if (!await haveMinio(`client suites on ${driver}`)) return undefined;
  console.log(`on a MinIO, by the driver ${driver}`);
  await using minio = await Minio.start();
  const settings = JSON.stringify(minio.settings(await minio.bucket()));
  const env = { ...more, KAFSCALE_TEST_STORE: driver, KAFSCALE_TEST_S3: settings };
  const suites = [`--ignore=${OWN_CLUSTER_TESTS.join()}`, "tests/clients"];
  return await run(namesTests(args) ? args : [...args, ...suites], env);
}

/** Runs `args`, or all client suites, against clusters of three brokers. */
async function runOnCluster(
  args: readonly string[],
  more: Readonly<Record<string, string>>,
): Promise<Counts | undefined> {
  const [{ haveMinio, Minio }, { Etcd }, { haveTools }] = await Promise.all([
    import("../services/minio.ts"),
    import("../services/etcd.ts"),
    import("../clients/requirement.ts"),
  ]);
  const suite = "client suites on a cluster";
  if (!haveTools(suite, "etcd") || !await haveMinio(suite)) return undefined;
  await using minio = await Minio.start();
  await using etcd = await Etcd.start();
  const services = { etcd: { list: etcd.list }, bucket: minio.settings(await minio.bucket()) };
  const env = { ...more, KAFSCALE_TEST_CLUSTER: JSON.stringify(services) };
  return await run(namesTests(args) ? args : [...args, ...CLUSTER_TESTS], env);
}

type Pass = () => Promise<Counts | undefined>;

/**
 * How the whole tree is run. In CI by Deno's own search for tests, file after file: there nothing
 * that waits for a time has company.
 */
export function mannerOf(inCi: boolean, all: boolean): "in turn" | "all" | "everyday" {
  if (inCi) return "in turn";
  return all ? "all" : "everyday";
}

/** What is to be run, one after the other; `on`: a bucket's driver, or "cluster". */
function passesOf(
  binary: string | undefined,
  on: string | undefined,
  seed: string,
  rest: readonly string[],
): Pass[] {
  const all = rest.includes("--all");
  const args = [`--shuffle=${seed}`, ...rest.filter((arg) => arg !== "--all")];
  const env = binary === undefined ? {} : { KAFSCALE_TEST_BINARY: binary };
  const named = namesTests(args);
  if (on === "cluster") return [() => runOnCluster(args, env)];
  if (on !== undefined) return [() => runOnMinio(on, args, env)];
  if (binary !== undefined && !named) {
    const inBucket = Object.entries(BINARY_TESTS_IN_BUCKET);
    // four kills show whether the binary recovers; the tests from source have shown the rest
    const fewer = { ...env, KAFSCALE_TEST_KILLS: "4" };
    return [
      () => run([...args, ...BINARY_TESTS], fewer),
      ...inBucket.map(([each, tests]) => () => runOnMinio(each, [...args, ...tests], fewer)),
    ];
  }
  if (args.length > 1) return [() => run(args, env)];
  const manner = mannerOf(IN_CI, all);
  if (manner !== "in turn") return [() => runBesideEachOther(seed, manner === "all")];
  const onMinio = BUCKET_DRIVERS.map((each) => () => runOnMinio(each, args));
  return [() => run(args), ...onMinio, () => runOnCluster(args, {})];
}

async function main(argv: readonly string[]): Promise<number> {
  const [binary, wanted] = await takeBinary(argv);
  if (binary !== undefined) console.log(`the broker is ${binary}`);
  const given = wanted.find((arg) => arg.startsWith("--shuffle"));
  const seed = given?.split("=")[1] ?? String(crypto.getRandomValues(new Uint16Array(1))[0]);
  console.log(`test order: seed ${seed} (deno task test --shuffle=${seed} repeats it)`);
  const rest = wanted.filter((arg) => arg !== given);
  const store = rest.indexOf("--store");
  const driver = store < 0 ? undefined : rest.splice(store, 2)[1] ?? "";
  if (driver !== undefined && !BUCKET_DRIVERS.includes(driver)) {
    throw new Error(`--store wants ${BUCKET_DRIVERS.join(" or ")}`);
  }
  const cluster = rest.indexOf("--cluster");
  if (cluster >= 0) rest.splice(cluster, 1);
  const passes = passesOf(binary, cluster >= 0 ? "cluster" : driver, seed, rest);
  const total = { passed: 0, failed: 0, skipped: 0 };
  let nothing = false;
  for (const pass of passes) {
    const counts = await pass();
    if (counts === undefined) nothing = true;
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts?.[key] ?? 0;
  }
  if (nothing && passes.length === 1) return 1;
  if (failures.length > 0) console.log(["== what failed", ...failures].join("\n"));
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 && !nothing ? 0 : 1;
}

if (import.meta.main) {
  const failed = (error: Error) => {
    console.error(`test: ${error.message}`);
    return 1;
  };
  Deno.exit(await main(Deno.args).catch(failed));
}
