/**
 * A network of one's own: a program in it has 127.0.0.1 to itself, so that what names port 9092 in
 * its text can be run as it stands, whoever listens there outside.
 */

/** SIOCSIFFLAGS with IFF_UP on `lo`, which is down in a new network. */
const LOOPBACK_UP = "import fcntl,socket,struct;" +
  "fcntl.ioctl(socket.socket(),0x8914,struct.pack('16sh',b'lo',1))";

/** Whether this system lets the tests make one; says so where not, and throws in CI. */
export async function haveNetwork(suite: string): Promise<boolean> {
  const { success, stderr } = await inNetwork(["true"]).output().catch((error: Error) => ({
    success: false,
    stderr: new TextEncoder().encode(error.message),
  }));
  if (success) return true;
  const reason = `${suite}: SKIPPED, no network of its own: ${new TextDecoder().decode(stderr)}`;
  if (Deno.env.get("CI") === "true") throw new Error(`${reason} (in CI there must be one)`);
  console.warn(reason);
  return false;
}

/** The command, to be run in a new network whose loopback is up. */
export function inNetwork(command: readonly string[]): Deno.Command {
  const up = `python3 -c "${LOOPBACK_UP}" && exec "$@"`;
  return new Deno.Command("unshare", {
    args: ["--map-root-user", "--net", "sh", "-c", up, "sh", ...command],
    stdout: "piped",
    stderr: "piped",
  });
}
