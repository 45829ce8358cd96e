/**
 * The compiled file by itself, where an operator has dropped it: an empty directory, an empty
 * environment. Only with a binary (`deno task test --binary dist/kafscale`), which CI compiles.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../services/free_port.ts";

const BINARY = Deno.env.get("KAFSCALE_TEST_BINARY");

if (BINARY === undefined) console.warn("the binary: not tested without --binary FILE");

/** Promised to operators, on a machine that has nothing else to do. */
const VERSION_MS_MAX = 150;
const ACCEPTING_MS_MAX = 500;
/** Other work may share this one: it is tried for so long to be as quick once. */
const TRYING_MS = 30_000;

/** Milliseconds of the quickest run; ends with the first that is below `enough`. */
async function quickest(enough: number, once: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (const end = performance.now() + TRYING_MS; best >= enough && performance.now() < end;) {
    best = Math.min(best, await once());
  }
  return best;
}

interface Place {
  /** Empty at first. */
  readonly directory: string;
  /** In place of /tmp; empty at first. */
  readonly temporary: string;
}

function onBinary(name: string, run: (binary: string, place: Place) => Promise<void>): void {
  if (BINARY === undefined) return;
  Deno.test(`the binary ${name}`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kafscale-binary-" });
    const temporary = await Deno.makeTempDir({ prefix: "kafscale-binary-" });
    try {
      await run(BINARY, { directory, temporary });
    } finally {
      await Deno.remove(directory, { recursive: true });
      await Deno.remove(temporary, { recursive: true });
    }
  });
}

function spawn(binary: string, args: readonly string[], place: Place, stdin?: string) {
  const child = new Deno.Command(binary, {
    args: [...args],
    cwd: place.directory,
    clearEnv: true,
    env: { TMPDIR: place.temporary },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return child;
}

async function run(binary: string, args: readonly string[], place: Place, stdin?: string) {
  const child = spawn(binary, args, place, stdin);
  if (stdin !== undefined) await new Response(stdin).body!.pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A broker on a free port, and how long it took until it accepted a connection. */
async function startBroker(binary: string, place: Place) {
  const port = freePort();
  const started = performance.now();
  const child = spawn(binary, ["start", "--broker-addr", `127.0.0.1:${port}`], place);
  let ended = false;
  const output = child.output().finally(() => ended = true);
  for (;;) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    connection?.close();
    if (connection !== undefined) break;
    if (ended) throw new Error(new TextDecoder().decode((await output).stderr));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const acceptingMs = performance.now() - started;
  const stop = async () => {
    child.kill("SIGTERM");
    return (await output).code;
  };
  return { bootstrap: `127.0.0.1:${port}`, acceptingMs, stop };
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}

onBinary("serves from an empty directory with an empty environment", async (binary, place) => {
  const broker = await startBroker(binary, place);
  const at = ["-b", broker.bootstrap];
  const sent = await run(binary, ["produce", "first", "-z", "zstd", ...at], place, "hello\n");
  assertEquals([sent.code, sent.stderr], [0, "sent 1 record to first\n"]);
  const read = await run(binary, ["consume", "first", "--from-beginning", ...at], place);
  assertEquals([read.code, read.stdout], [0, "hello\n"]);
  assertEquals(await broker.stop(), 0);
  assertEquals(names(place.directory), ["data"]);
  assertEquals(names(place.temporary), []);
});

onBinary("knows its version and commit, quickly", async (binary, place) => {
  const best = await quickest(VERSION_MS_MAX, async () => {
    const started = performance.now();
    const { code, stdout } = await run(binary, ["--version"], place);
    const took = performance.now() - started;
    assertEquals(code, 0);
    assertMatch(stdout, /^kafscale \d+\.\d+\.\d+ \([0-9a-f]{12}(-modified)?, deno \d/);
    return took;
  });
  assert(best < VERSION_MS_MAX, `--version took ${best.toFixed(0)} ms`);
});

onBinary("accepts connections soon after its start", async (binary, place) => {
  const best = await quickest(ACCEPTING_MS_MAX, async () => {
    const broker = await startBroker(binary, place);
    assertEquals(await broker.stop(), 0);
    return broker.acceptingMs;
  });
  assert(best < ACCEPTING_MS_MAX, `accepting took ${best.toFixed(0)} ms`);
});

onBinary("loads driver modules from outside, as plain JavaScript", async (binary, place) => {
  const write = (name: string, text: string) =>
    Deno.writeTextFile(`${place.directory}/${name}`, text);
  await write("key.js", 'import { basename } from "node:path"; export const key = basename("/k");');
  await write(
    "store.js",
    'import { key } from "./key.js";\n' +
      "export const openObjectStore = () => ({\n" +
      "  async *list() { yield { key, size: 3 }; },\n  close: async () => {},\n});\n",
  );
  const listed = await run(binary, ["dump", "--list", "--storage", "./store.js"], place);
  assertEquals([listed.code, listed.stdout], [0, "k  3\n"], listed.stderr);
  await write("store.ts", "export const openObjectStore = (options: unknown) => options;\n");
  const typed = await run(binary, ["dump", "--list", "--storage", "./store.ts"], place);
  assertEquals(typed.code, 1);
  assertStringIncludes(typed.stderr, "a compiled kafscale loads plain JavaScript only");
});

onBinary("is measured by its bench", async (binary) => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", new URL("../../bench/binary.ts", import.meta.url).pathname]
      .concat([binary, "1"]),
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  console.log(new TextDecoder().decode(stdout));
});
