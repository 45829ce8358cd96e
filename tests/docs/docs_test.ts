/** Runs the shell commands of the README and the docs, and follows their links. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { envName, SETTING_KEYS } from "../../core/config/mod.ts";
import { METRICS } from "../../plugins/metrics/table/mod.ts";
import { haveTools } from "../clients/requirement.ts";
import { type ShellBlock, shellBlocks } from "./shell_blocks.ts";
import { freePort } from "../services/free_port.ts";

const ROOT = new URL("../../", import.meta.url);

async function pages(folder = "docs/"): Promise<string[]> {
  const found: string[] = folder === "docs/" ? ["README.md", "CHANGELOG.md"] : [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    if (entry.isDirectory) found.push(...await pages(`${folder}${entry.name}/`));
    else if (entry.name.endsWith(".md")) found.push(folder + entry.name);
  }
  return found.sort();
}

/** Puts a `kafscale` into `folder`: the binary under test, or the one that runs from source. */
async function installKafscale(folder: string): Promise<void> {
  const binary = Deno.env.get("KAFSCALE_TEST_BINARY");
  const { kafscale } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))).tasks;
  const fromSource = kafscale.command.replace("deno", `"${Deno.execPath()}"`)
    .replace("main.ts", `"${new URL("main.ts", ROOT).pathname}"`);
  const command = binary === undefined ? fromSource : `"${binary}"`;
  const options = { mode: 0o755 };
  await Deno.writeTextFile(`${folder}/kafscale`, `#!/bin/sh\nexec ${command} "$@"\n`, options);
}

interface Place {
  readonly port: number;
  readonly metricsPort: number;
  readonly dataDir: string;
  /** Where `kafscale` is. */
  readonly programs: string;
  /** Where commands are run: an operator's directory has nothing of ours in it. */
  readonly workDir: string;
}

/** The commands as they stand, but with this Deno, this kafscale, and the port of this run. */
function shell(commands: string, place: Place): Deno.Command {
  const { port, metricsPort, dataDir, programs, workDir } = place;
  const task = "npx -y deno@2.9.6 task";
  const onBinary = (text: string) =>
    text.replaceAll(`${task} start`, "kafscale start").replaceAll(`${task} kafscale`, "kafscale");
  const here = (Deno.env.has("KAFSCALE_TEST_BINARY") ? onBinary(commands) : commands)
    .replaceAll("npx -y deno@2.9.6", `"${Deno.execPath()}"`)
    .replaceAll("dist/kafscale", "kafscale")
    .replaceAll(":9092", `:${port}`)
    .replaceAll(":9093", `:${metricsPort}`);
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("KAFSCALE_"));
  return new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", here],
    cwd: workDir,
    clearEnv: true,
    env: {
      ...Object.fromEntries(env),
      NO_COLOR: "1",
      PATH: `${programs}:${Deno.env.get("PATH")}`,
      KAFSCALE_BROKER_ADDR: `127.0.0.1:${port}`,
      KAFSCALE_METRICS_ADDR: `127.0.0.1:${metricsPort}`,
      KAFSCALE_DATA_DIR: dataDir,
      KAFSCALE_OPS_TOKEN: "a-token-for-tests",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Starts the page's broker; resolves when it serves, to what stops it. */
async function startBroker(commands: string, place: Place) {
  // exec: signals go to deno, not to the shell around it
  const child = shell(`exec ${commands}`, place).spawn();
  const listening = Promise.withResolvers<void>();
  let text = "";
  const output = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      // the last thing that a start says
      if (text.includes("plugins started")) listening.resolve();
    }
    listening.reject(new Error(`the broker ended:\n${text}`));
  })();
  const ignored = child.stdout.cancel();
  await listening.promise;
  return async () => {
    child.kill("SIGTERM");
    const { code } = await child.status;
    await Promise.all([output, ignored]);
    return code;
  };
}

async function runBlocks(blocks: readonly ShellBlock[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kafscale-docs-" });
  const place = {
    port: freePort(),
    metricsPort: freePort(),
    dataDir: `${folder}/data`,
    programs: folder,
    workDir: blocks.some((each) => each.commands.includes("npx ")) ? ROOT.pathname : `${folder}/at`,
  };
  await Deno.mkdir(`${folder}/at`);
  await installKafscale(folder);
  const commands = blocks.find((block) => block.broker)?.commands ??
    (blocks.some((block) => block.needsBroker) ? "kafscale start" : undefined);
  const broker = commands === undefined ? undefined : await startBroker(commands, place);
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    assertEquals(await broker?.() ?? 0, 0, "the broker did not stop cleanly");
  };
  try {
    const toRun = blocks.filter((each) => !each.broker && each.skip === undefined);
    for (const block of toRun.filter((each) => !each.afterBroker)) await runBlock(block, place);
    await stop();
    for (const block of toRun.filter((each) => each.afterBroker)) await runBlock(block, place);
  } finally {
    await stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function runBlock(block: ShellBlock, place: Place): Promise<void> {
  const { code, stdout, stderr } = await shell(block.commands, place).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, `line ${block.line}:\n${block.commands}\n${output}`);
  for (const text of block.prints) assertStringIncludes(output, text);
}

/** GitHub's name of a heading. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\w -]/g, "").replaceAll(" ", "-");
}

for (const page of await pages()) {
  const text = await Deno.readTextFile(new URL(page, ROOT));
  const blocks = shellBlocks(text);
  if (blocks.some((block) => block.skip === undefined)) {
    const ignore = /\bkcat\b/.test(text) && !haveTools(`the commands of ${page}`, "kcat");
    Deno.test({
      name: `the commands of ${page} do what it says`,
      ignore,
      fn: () => runBlocks(blocks),
    });
  }

  Deno.test(`the links of ${page} lead somewhere`, async () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path, fragment] = target!.split("#");
      const url = new URL(path === "" ? page : path!, path === "" ? ROOT : new URL(page, ROOT));
      const found = await Deno.stat(url).then(() => true, () => false);
      assert(found, `${page}: nothing at ${target}`);
      if (fragment === undefined || !url.pathname.endsWith(".md")) continue;
      const headings = (await Deno.readTextFile(url)).matchAll(/^#+ (.+)$/gm);
      const anchors = [...headings].map(([, heading]) => anchor(heading!));
      assert(anchors.includes(fragment), `${page}: ${target} has no such heading`);
    }
  });
}

Deno.test("docs/architecture.md names files that exist", async () => {
  const text = await Deno.readTextFile(new URL("docs/architecture.md", ROOT));
  const named = [...text.matchAll(/`((?:core|drivers|plugins|tests)\/[\w/.-]*|main\.ts)`/g)];
  assert(named.length > 20);
  for (const [, path] of named) {
    const found = await Deno.stat(new URL(path!, ROOT)).then(() => true, () => false);
    assert(found, `there is no ${path}`);
  }
});

Deno.test("docs/operations.md names what exists: settings, metrics, every alert", async () => {
  const text = await Deno.readTextFile(new URL("docs/operations.md", ROOT));
  const named = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([name]) => name));
  const settings = SETTING_KEYS.map(envName);
  // a family of settings ends in _ and *
  for (const name of named(/KAFSCALE_\w+/g)) {
    const known = settings.some((each) =>
      name.endsWith("_") ? each.startsWith(name) : each === name
    );
    assert(known, `there is no setting ${name}`);
  }
  const metrics = METRICS.map(({ name }) => name);
  for (const name of named(/\bkafscale_[a-z0-9_]+/g)) {
    assert(metrics.some((each) => each.startsWith(name)), `there is no metric ${name}`);
  }
  const rules = await Deno.readTextFile(new URL("deploy/prometheus/kafscale.rules.yaml", ROOT));
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, alert]) => alert!);
  for (const alert of alerts) assertStringIncludes(text, `\`${alert}\``);
  for (const name of named(/\b(KafScale|S3)[A-Z]\w+/g)) {
    assert(alerts.includes(name), `there is no alert ${name}`);
  }
});

Deno.test("shellBlocks() reads blocks and the notes in front of them", () => {
  const markdown = "x\n<!-- doc-test: prints a -->\n\n```sh\necho a\n```\n\n```json\n{}\n```\n" +
    "<!-- doc-test: skip: why -->\n```sh\nfalse\n```\n";
  const none = {
    skip: undefined,
    broker: false,
    needsBroker: false,
    afterBroker: false,
    prints: [],
  };
  assertEquals(shellBlocks(markdown), [
    { ...none, line: 4, commands: "echo a", prints: ["a"] },
    { ...none, line: 12, commands: "false", skip: "why" },
  ]);
  assertThrows(() => shellBlocks("<!-- doc-test: skpi -->\n```sh\nx\n```\n"));
  assertThrows(() => shellBlocks("```sh\nx\n"));
});
