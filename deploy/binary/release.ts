/**
 * `deno task release [--target TRIPLE]… [--commit NAME]`: dist/release with a binary for each
 * target (this machine's, if none is named), the list of what is inside them (CycloneDX), and
 * SHA256SUMS.
 */
import { createHash } from "node:crypto";
import manifest from "../../deno.json" with { type: "json" };
import { compile, type Compiled, report } from "./compile.ts";
import { git, ROOT } from "./deno.ts";
import type { NpmPackage } from "./npm_file.ts";
import { type Lock, sbom } from "./sbom.ts";
import { runTask } from "./task.ts";

const FOLDER = "dist/release";

async function release(targets: readonly string[], commit: string | undefined): Promise<void> {
  await Deno.remove(new URL(FOLDER, ROOT), { recursive: true }).catch(() => {});
  await Deno.mkdir(new URL(FOLDER, ROOT), { recursive: true });
  const name = `kafscale-${manifest.version}`;
  let last: Compiled | undefined;
  for (const target of targets) {
    last = await compile({ target, output: `${FOLDER}/${name}-${target}`, commit });
    console.log(await report(last));
  }
  const document = await contentsOf(last!);
  await Deno.writeTextFile(
    new URL(`${FOLDER}/${name}.cdx.json`, ROOT),
    JSON.stringify(document, undefined, 2) + "\n",
  );
  console.log(await writeSums());
}

/** The same for all targets: only the runtime's build differs. */
async function contentsOf({ bundle, commit }: Compiled) {
  const lock: Lock = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
  const builtFrom = await git("show", "--no-patch", "--format=%cI", "HEAD");
  const { deno, v8 } = Deno.version;
  return sbom(
    {
      version: manifest.version,
      commit,
      builtFrom: builtFrom ?? new Date().toISOString(),
      runtime: { deno, v8 },
      packages: bundle.packages,
    },
    lock,
    declaredLicense,
  );
}

function declaredLicense({ root }: NpmPackage): string | undefined {
  const { license } = JSON.parse(Deno.readTextFileSync(`${root}/package.json`));
  return typeof license === "string" ? license : license?.type;
}

/** In the form that `sha256sum --check` reads. */
async function writeSums(): Promise<string> {
  const lines: string[] = [];
  const names = [...Deno.readDirSync(new URL(FOLDER, ROOT))].map(({ name }) => name).sort();
  for (const name of names) {
    const hash = createHash("sha256");
    const file = await Deno.open(new URL(`${FOLDER}/${name}`, ROOT));
    for await (const chunk of file.readable) hash.update(chunk);
    lines.push(`${hash.digest("hex")}  ${name}`);
  }
  const text = lines.join("\n") + "\n";
  await Deno.writeTextFile(new URL(`${FOLDER}/SHA256SUMS`, ROOT), text);
  return text.trimEnd();
}

if (import.meta.main) {
  await runTask("release", ["target", "commit"], async ({ target = [], commit = [] }) => {
    await release(target.length > 0 ? target : [Deno.build.target], commit[0]);
  });
}
