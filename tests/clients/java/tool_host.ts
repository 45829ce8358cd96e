/**
 * Kafka's command-line tools in one JVM, which saves its start for each call. See ToolHost.java.
 */
import { javaClient } from "../install.ts";
import { type Tool, TOOL_CLASSES } from "./tools.ts";

export interface ToolResult {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

export class ToolHost implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#lines = lines(child.stdout);
  }

  static async start(): Promise<ToolHost> {
    const child = new Deno.Command("java", {
      args: ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", await javaClient(), "ToolHost"],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const host = new ToolHost(child);
    await host.#lines.next();
    return host;
  }

  /** Runs a tool, one at a time. */
  run(tool: Tool, args: readonly string[], input = ""): Promise<ToolResult> {
    const result = this.#last.then(async () => {
      const request = JSON.stringify({ main: TOOL_CLASSES[tool], args, in: input });
      await this.#stdin.write(new TextEncoder().encode(request + "\n"));
      const answer = await this.#lines.next();
      if (answer.done) throw new Error(`the JVM ended in ${tool} ${args.join(" ")}`);
      return JSON.parse(answer.value) as ToolResult;
    });
    this.#last = result.catch(() => {});
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#child.status;
    await this.#lines.return(undefined);
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
