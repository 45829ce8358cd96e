/** Where figures were measured; figures of different machines are never compared. */
export interface Provenance {
  readonly commit: string;
  readonly date: string;
  readonly runtime: string;
  readonly machine: { cores: number; cpu: string; memoryGib: number; kernel: string };
}

export async function provenance(): Promise<Provenance> {
  const cpuInfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return {
    commit: await commit(),
    date: new Date().toISOString().slice(0, 10),
    runtime: `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`,
    machine: {
      cores: navigator.hardwareConcurrency,
      cpu: /^model name\s*:\s*(.*)$/m.exec(cpuInfo)?.[1] ?? Deno.build.arch,
      memoryGib: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
      kernel: Deno.osRelease(),
    },
  };
}

/** Short hash, with `+` when the tree has changes. */
async function commit(): Promise<string> {
  const cwd = new URL("..", import.meta.url).pathname;
  const git = async (args: string[]) => {
    const { success, stdout } = await new Deno.Command("git", { args, cwd, stderr: "null" })
      .output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  };
  try {
    const hash = await git(["rev-parse", "--short", "HEAD"]);
    const changes = await git(["status", "--porcelain"]);
    return (hash ?? "unknown") + (changes === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}
