/** The generated Python client of the control service as a process. */
import { assertEquals } from "@std/assert";
import { pythonControl } from "./install.ts";

export interface ControlCall {
  readonly method?: string;
  readonly request?: Readonly<Record<string, unknown>>;
  readonly token?: string;
  /** Messages of a stream. */
  readonly take?: number;
  /** Names a stream that stays open. */
  readonly keep?: string;
  /** A stream that was kept. */
  readonly more?: string;
}

export class ControlClient implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(address: string): Promise<ControlClient> {
    const dir = await pythonControl();
    const script = new URL("python/control_client.py", import.meta.url).pathname;
    const child = new Deno.Command(`${dir}/venv/bin/python`, {
      args: [script, address, `${dir}/generated`],
      env: { PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new ControlClient(child);
  }

  // deno-lint-ignore no-explicit-any -- JSON
  async #call(call: ControlCall): Promise<any> {
    await this.#stdin.write(new TextEncoder().encode(JSON.stringify(call) + "\n"));
    for (;;) {
      const cut = this.#rest.indexOf("\n");
      if (cut >= 0) {
        const line = this.#rest.slice(0, cut);
        this.#rest = this.#rest.slice(cut + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the control client has ended");
      this.#rest += value;
    }
  }

  /** The answer of a call that must succeed. */
  // deno-lint-ignore no-explicit-any -- JSON
  async ok(call: ControlCall): Promise<any> {
    const { answer, code, details } = await this.#call(call);
    assertEquals([code, details], [undefined, undefined], call.method);
    return answer;
  }

  /** Code and text of a call that must be refused. */
  async refused(call: ControlCall): Promise<[code: string, details: string]> {
    const { code, details } = await this.#call(call);
    return [code, details];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#lines.cancel();
    await this.#child.status;
  }
}
