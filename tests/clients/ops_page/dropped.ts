/** A compiled broker as an operator first meets it: one file, nothing around it, nothing set. */
import { assert } from "@std/assert";
import { waitUntil } from "../wait_until.ts";

export class DroppedBroker implements AsyncDisposable {
  #log = "";

  private constructor(
    readonly directory: string,
    readonly child: Deno.ChildProcess,
  ) {}

  /** Copies `binary` into an empty directory and starts it there with an empty environment. */
  static async start(binary: string): Promise<DroppedBroker> {
    const directory = await Deno.makeTempDir({ prefix: "kafscale-dropped-" });
    await Deno.copyFile(binary, `${directory}/kafscale`);
    const child = new Deno.Command("./kafscale", {
      args: ["start"],
      cwd: directory,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const broker = new DroppedBroker(directory, child);
    void broker.#read();
    await waitUntil(
      "the broker listens",
      () => broker.#log.includes("broker listening") || undefined,
    );
    return broker;
  }

  tail(): string {
    return this.#log.slice(-4_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM");
    const { code } = await this.child.status;
    const left = [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
    await Deno.remove(this.directory, { recursive: true });
    assert(code === 0 && left.join() === "data,kafscale", `exit code ${code}, files ${left}`);
  }

  async #read(): Promise<void> {
    for await (const text of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
    }
  }
}
