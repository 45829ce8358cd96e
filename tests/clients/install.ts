/**
 * Makes what the client suites need present, once: npm packages with the native addon, a Python
 * environment, Go programs, Kafka's jars. Idempotent; the tests call it lazily, CI may call
 * `deno run -A tests/clients/install.ts` first.
 *
 * Everything lies in KAFSCALE_TEST_CACHE (default ~/.cache/kafscale-tests), in a folder named by a
 * digest of what it is made from, so a change of a pin makes a new one.
 */
import { createHash } from "node:crypto";

const HERE = new URL("./", import.meta.url);

/** Where everything is kept. */
export function cacheDir(): string {
  return Deno.env.get("KAFSCALE_TEST_CACHE") ??
    `${Deno.env.get("HOME") ?? Deno.cwd()}/.cache/kafscale-tests`;
}

const once = new Map<string, Promise<string>>();

/**
 * The folder `NAME-<digest of the sources>` of the cache, made by `build` when it isn't complete.
 * A `.lock` file keeps two processes from building the same folder.
 */
function made(
  name: string,
  sources: readonly string[],
  build: (dir: string) => Promise<void>,
): Promise<string> {
  let result = once.get(name);
  if (result === undefined) {
    result = makeLocked(name, sources, build);
    once.set(name, result);
  }
  return result;
}

async function makeLocked(
  name: string,
  sources: readonly string[],
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const digest = createHash("sha256").update(name);
  for (const path of sources) digest.update(await Deno.readFile(new URL(path, HERE)));
  const dir = `${cacheDir()}/${name}-${digest.digest("hex").slice(0, 12)}`;
  if (await exists(`${dir}/.ready`)) return dir;
  await Deno.mkdir(dir, { recursive: true });
  const lock = await Deno.open(`${dir}.lock`, { create: true, write: true });
  try {
    await lock.lock(true);
    if (await exists(`${dir}/.ready`)) return dir;
    const started = performance.now();
    console.error(`installing ${name} …`);
    await build(dir);
    await Deno.writeTextFile(`${dir}/.ready`, "");
    console.error(`installed ${name} in ${Math.round((performance.now() - started) / 1000)} s`);
    return dir;
  } finally {
    lock.close();
  }
}

/** node_modules with the librdkafka addon, built from its bundled source. Needs node, g++, make. */
export function librdkafkaForNode(): Promise<string> {
  const sources = ["node/librdkafka/package.json", "node/librdkafka/package-lock.json"];
  return made("npm", sources, async (dir) => {
    for (const path of sources) {
      await Deno.copyFile(new URL(path, HERE), `${dir}/${baseName(path)}`);
    }
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], dir);
    // "dynamic" makes the addon's configure use this machine's zlib, ssl and zstd; the default
    // fetches their sources from their own sites.
    await run(
      "npm",
      ["rebuild", "--build-from-source=@confluentinc/kafka-javascript"],
      dir,
      { CKJS_LINKING: "dynamic" },
    );
  });
}

/** A Python environment with the pinned clients; resolves to its folder. */
export function pythonClients(): Promise<string> {
  const sources = ["python/requirements.txt"];
  return made("python", sources, async (dir) => {
    await run("python3", ["-m", "venv", "--clear", `${dir}/venv`], dir);
    const requirements = new URL("python/requirements.txt", HERE).pathname;
    await run(`${dir}/venv/bin/pip`, ["install", "-q", "-r", requirements], dir);
  });
}

/** A Python environment with gRPC and what is generated from control.proto, in `generated/`. */
export function pythonControl(): Promise<string> {
  const proto = "../../docs/formats/control.proto";
  const sources = ["python/control_requirements.txt", proto];
  return made("control", sources, async (dir) => {
    await run("python3", ["-m", "venv", "--clear", `${dir}/venv`], dir);
    const requirements = new URL(sources[0]!, HERE).pathname;
    await run(`${dir}/venv/bin/pip`, ["install", "-q", "-r", requirements], dir);
    await Deno.mkdir(`${dir}/generated`, { recursive: true });
    const folder = new URL("../../docs/formats", HERE).pathname;
    const out = ["--python_out", "--grpc_python_out"].map((flag) => `${flag}=${dir}/generated`);
    const protoc = ["-m", "grpc_tools.protoc", `-I${folder}`, ...out, "control.proto"];
    await run(`${dir}/venv/bin/python`, protoc, dir);
  });
}

/** The Go programs; resolves to the folder with the binaries franz, sarama, kafkago, opspage. */
export function goClients(): Promise<string> {
  const sources = [
    "go/go.mod",
    "go/go.sum",
    "go/agent/agent.go",
    "go/cmd/franz/main.go",
    "go/cmd/franz/admin.go",
    "go/cmd/sarama/main.go",
    "go/cmd/sarama/admin.go",
    "go/cmd/kafkago/main.go",
    "go/cmd/opspage/main.go",
  ];
  return made("go", sources, async (dir) => {
    const module = new URL("go/", HERE).pathname;
    await run("go", ["build", "-o", `${dir}/`, "./cmd/..."], module);
  });
}

/** Kafka 4.1's jars (client, tools, broker); resolves to the class path. Needs java and mvn. */
export async function kafkaJars(): Promise<string> {
  const dir = await made("java", ["java/pom.xml"], async (dir) => {
    await Deno.copyFile(new URL("java/pom.xml", HERE), `${dir}/pom.xml`);
    await run("mvn", ["-q", "dependency:copy-dependencies", `-DoutputDirectory=${dir}/libs`], dir);
  });
  return `${dir}/libs/*`;
}

/** The compiled Java agent; resolves to a class path that has it and Kafka's jars. */
export async function javaClient(): Promise<string> {
  const jars = await kafkaJars();
  const programs = [
    "ClientAgent",
    "GroupMember",
    "AdminCalls",
    "SteadyProducer",
    "SteadyReader",
    "SteadyGroup",
    "ToolHost",
  ];
  const sources = ["java/pom.xml", ...programs.map((name) => `java/${name}.java`)];
  const dir = await made("java-agent", sources, async (dir) => {
    const files = sources.slice(1).map((path) => new URL(path, HERE).pathname);
    await run("javac", ["-cp", jars, "-d", dir, ...files], dir);
  });
  return `${dir}:${jars}`;
}

async function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  if (success) return;
  const decoder = new TextDecoder();
  const text = `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`.slice(-4000);
  throw new Error(`install: ${command} ${args.join(" ")} failed\n${text}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

if (import.meta.main) {
  await Promise.all([librdkafkaForNode(), pythonClients(), pythonControl()]);
  await Promise.all([goClients(), javaClient()]);
}
