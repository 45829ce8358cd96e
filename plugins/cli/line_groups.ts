import { UsageError } from "./command.ts";

/** Longest line: brokers take 1 MiB a record by default, and endless lines would fill memory. */
const LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

/** The whole lines that each chunk completes; the last line may lack its line feed. */
export async function* lineGroups(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string[]> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    if (rest.length > LINE_CHARACTERS_MAX) {
      throw new UsageError(`a line is longer than ${LINE_CHARACTERS_MAX} characters`);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest !== "") yield [rest];
}
