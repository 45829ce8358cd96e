/**
 * Apache Kafka's own tools, from Maven's jars. They are looked for in KAFKA_CLI_HOME, else in
 * ~/.cache/kafka-cli-4.1.0, and fetched there with mvn and the pom.xml of this folder when absent.
 */

let found: Promise<string> | undefined;

/** The class path; fetched once per process. */
export function javaClassPath(): Promise<string> {
  return found ??= findJars();
}

async function findJars(): Promise<string> {
  const home = Deno.env.get("KAFKA_CLI_HOME") ??
    `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/kafka-cli-4.1.0`;
  try {
    await Deno.stat(`${home}/.ready`);
  } catch {
    await Deno.mkdir(`${home}/libs`, { recursive: true });
    const pom = new URL("pom.xml", import.meta.url).pathname;
    const { success } = await new Deno.Command("mvn", {
      args: ["-q", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${home}/libs`],
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("mvn could not fetch Apache Kafka's jars");
    await Deno.writeTextFile(`${home}/.ready`, "");
  }
  return `${home}/libs/*`;
}

/** Whether this machine can run the tools at all. */
export async function javaIsThere(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("java", {
      args: ["-version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Runs a tool's main class to its end; what it printed. Throws with its errors when it fails. */
export async function runTool(
  mainClass: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const child = new Deno.Command("java", {
    args: ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
      .concat(["-cp", await javaClassPath(), mainClass, ...args]),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder().decode(stdout);
  if (success) return text;
  const why = late ? `no end after ${timeoutMs} ms` : "failed";
  throw new Error(
    `${mainClass} ${why}\n${text.slice(-2000)}\n${new TextDecoder().decode(stderr).slice(-4000)}`,
  );
}
