/** Runs kafscale_reader.py. */
import { assert } from "@std/assert";

const READER = new URL("kafscale_reader.py", import.meta.url).pathname;

/** Its output, line by line. */
export async function read(
  command: "records" | "seek",
  bucket: string,
  namespace: string,
  ...more: string[]
): Promise<unknown[]> {
  const { success, stdout, stderr } = await new Deno.Command("python3", {
    args: ["-B", READER, command, bucket, namespace, ...more],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
}
