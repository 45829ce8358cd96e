/** In a process of its own: what this is about ends the process. */
import { assertEquals } from "@std/assert";

const PROGRAM = new URL("./goaway_client.ts", import.meta.url).pathname;

Deno.test("endSessionsLater() lets a session survive a GOAWAY with a PING behind it", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", PROGRAM],
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals(new TextDecoder().decode(stdout), "20 sessions ended\n");
  assertEquals(code, 0);
});
