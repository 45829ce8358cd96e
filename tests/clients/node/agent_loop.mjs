/**
 * The JSON-lines loop of the JavaScript agents, for Deno and node. See ../agent.ts for the
 * protocol.
 *
 * @typedef {(args: any) => Promise<unknown>} Command
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";

/** The broker's address: the last argument. */
export const bootstrap = process.argv[process.argv.length - 1] ?? "";

/**
 * Serves commands until standard input ends.
 * @param {string} client
 * @param {string} version
 * @param {Record<string, Command>} commands
 * @param {string[]} features
 * @param {(error: any) => { code: number | null, name: string, message: string }} describeError
 */
export function serve(client, version, commands, features, describeError) {
  // Real clients may reject promises nobody waits for while they reconnect: say it, go on.
  process.on("unhandledRejection", (error) => console.error("unhandled rejection", error));
  process.on("uncaughtException", (error) => console.error("uncaught exception", error));
  send({ ready: { client, version, can: [...Object.keys(commands), ...features] } });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { id, cmd, args } = JSON.parse(line);
    try {
      const command = commands[cmd];
      if (command === undefined) throw new Error(`no command ${cmd}`);
      send({ id, ok: (await command(args)) ?? null });
    } catch (error) {
      if (error instanceof TypeError || error instanceof ReferenceError) console.error(error);
      send({ id, error: describeError(error) });
    }
  });
  lines.on("close", () => process.exit(0));
}

/** @param {unknown} message */
function send(message) {
  process.stdout.write(
    JSON.stringify(message, (_, value) => typeof value === "bigint" ? Number(value) : value) + "\n",
  );
}

/** @param {number} ms */
export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Base64 to a Buffer; null stays null.
 * @param {string | null} value
 */
export function bytes(value) {
  return value === null ? null : Buffer.from(value, "base64");
}

/**
 * A Buffer to base64; null and undefined are null.
 * @param {Uint8Array | null | undefined} value
 */
export function base64(value) {
  return value === null || value === undefined ? null : Buffer.from(value).toString("base64");
}
