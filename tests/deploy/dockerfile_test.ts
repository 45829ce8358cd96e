/** The image, as far as it can be checked without building it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { resolveConfig } from "../../core/config/mod.ts";
import { COMMANDS } from "../../plugins/cli/mod.ts";
import { deno, ROOT } from "../../deploy/binary/deno.ts";
import { startTask } from "../services/start_task.ts";

interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** Instructions by stage, lines joined and comments gone. */
async function stages(): Promise<Instruction[][]> {
  const text = await Deno.readTextFile(new URL("deploy/Dockerfile", ROOT));
  const lines = text.replace(/^\s*#.*\n/gm, "").replaceAll("\\\n", " ").split("\n");
  const found: Instruction[][] = [];
  for (const line of lines.filter((line) => line.trim() !== "")) {
    const [, name, value] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
    if (name === "FROM") found.push([]);
    found.at(-1)!.push({ name: name!, value: value! });
  }
  return found;
}

function valuesOf(stage: readonly Instruction[], name: string): string[] {
  return stage.filter((each) => each.name === name).map(({ value }) => value);
}

Deno.test("the image runs the binary alone, without rights, and checks its health", async () => {
  const [build, final, ...others] = await stages();
  assertEquals(others, []);
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const version = /npx -y deno@([\d.]+)/.exec(readme)![1]!;
  assertEquals(valuesOf(build!, "FROM"), [`denoland/deno:${version} AS build`]);
  assertStringIncludes(valuesOf(build!, "RUN")[0]!, "deno task compile --commit");
  const [user] = valuesOf(final!, "USER");
  assertEquals(user, "65532:65532");
  assertEquals(valuesOf(final!, "RUN"), [], "the image has no shell");
  for (const copied of valuesOf(final!, "COPY")) assertStringIncludes(copied, "--from=build ");
  assertEquals(valuesOf(final!, "ENTRYPOINT"), ['["/usr/local/bin/kafscale"]']);
  const started = JSON.parse(valuesOf(final!, "CMD")[0]!);
  const check = JSON.parse(/CMD (\[.*\])$/.exec(valuesOf(final!, "HEALTHCHECK")[0]!)![1]!);
  assertEquals(check[0], "/usr/local/bin/kafscale");
  for (const command of [started[0], check[1]]) assert(COMMANDS.has(command), command);
});

Deno.test("the image sets what start needs, and settings that exist", async () => {
  const [, final] = await stages();
  const words = valuesOf(final!, "ENV")[0]!.trim().split(/\s+/);
  const env = Object.fromEntries(words.map((word) => word.split("=")));
  for (const [name, value] of Object.entries(startTask().env)) assertEquals(env[name], value);
  const result = resolveConfig({ env, flags: {} });
  assert(result.ok);
  assertEquals(result.warnings, []);
  assertEquals(valuesOf(final!, "VOLUME"), [env.KAFSCALE_DATA_DIR]);
});

Deno.test("the image's build gets every file that the binary is made of", async () => {
  const text = await Deno.readTextFile(new URL("deploy/Dockerfile.dockerignore", ROOT));
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assertEquals(lines.shift(), "*");
  const kept = lines.map((line) => {
    assert(line.startsWith("!"), line);
    return line.slice(1);
  });
  const reaches = (path: string) =>
    kept.some((each) => path === each || path.startsWith(`${each}/`));
  for (const entry of ["main.ts", "deploy/binary/compile.ts"]) {
    const { modules } = JSON.parse(await deno(["info", "--json", entry]));
    const paths: string[] = modules.map(({ specifier }: { specifier: string }) => specifier)
      .filter((each: string) => each.startsWith(ROOT.href))
      .map((each: string) => each.slice(ROOT.href.length));
    assert(paths.includes(entry));
    for (const path of [...paths, "deno.lock"]) assert(reaches(path), `${path} is left out`);
  }
});
