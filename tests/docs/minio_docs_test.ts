/** The README's commands for a broker on MinIO, on a real one. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { haveTools } from "../clients/requirement.ts";
import { haveMinio, Minio } from "../services/minio.ts";
import { ON_MINIO, shellBlocks } from "./shell_blocks.ts";

const ROOT = new URL("../../", import.meta.url);
const here = haveTools("tests/docs on MinIO", "bash", "kcat") && await haveMinio("tests/docs");

const BINARY = Deno.env.get("KAFSCALE_TEST_BINARY");
/** exec: signals go to the broker, not to the shell around it. */
const START = BINARY === undefined
  ? `exec "${Deno.execPath()}" task start`
  : `exec "${BINARY}" start`;

function bash(commands: string, env: Record<string, string> = {}): Deno.ChildProcess {
  const given = Object.entries(Deno.env.toObject())
    .filter(([name]) => !name.startsWith("KAFSCALE_"));
  return new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", commands],
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(given), NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test({
  name: "README.md: a broker on MinIO takes a record and keeps it in the bucket",
  ignore: !here,
  fn: async () => {
    const blocks = shellBlocks(await Deno.readTextFile(new URL("README.md", ROOT)))
      .filter((block) => block.skip === ON_MINIO);
    assertEquals(blocks.length, 1);
    await using minio = await Minio.start();
    await minio.bucket("my-logs");
    const commands = blocks[0]!.commands
      .replaceAll("http://127.0.0.1:9000", minio.endpoint)
      .replace("ACCESS_KEY=minioadmin", `ACCESS_KEY=${minio.accessKey}`)
      .replace("SECRET_KEY=minioadmin", `SECRET_KEY=${minio.secretKey}`)
      .replace("npx -y deno@2.9.6 task start", START);
    const dataDir = await Deno.makeTempDir({ prefix: "kafscale-docs-" });
    const broker = bash(commands, {
      KAFSCALE_BROKER_ADDR: "127.0.0.1:0",
      KAFSCALE_DATA_DIR: dataDir,
    });
    let log = "";
    const listening = Promise.withResolvers<string>();
    const output = (async () => {
      for await (const chunk of broker.stderr.pipeThrough(new TextDecoderStream())) {
        log += chunk;
        const address = /broker listening on ([\d.]+:\d+)/.exec(log)?.[1];
        if (address !== undefined) listening.resolve(address);
      }
      listening.reject(new Error(`the broker ended: ${log}`));
    })();
    const ignored = broker.stdout.cancel();
    const at = await listening.promise;
    const kcat = await bash(
      `echo kept | kcat -P -b ${at} -t first; kcat -C -b ${at} -t first -e -q`,
    ).output();
    assertStringIncludes(new TextDecoder().decode(kcat.stdout), "kept");
    broker.kill("SIGTERM");
    assertEquals((await broker.status).code, 0, log);
    await Promise.all([output, ignored]);
    const objects = await Array.fromAsync(Deno.readDir(`${minio.dir}/data/my-logs/default`));
    assertEquals(objects.some(({ name }) => name === ".wal"), true);
    await Deno.remove(dataDir, { recursive: true });
  },
});
