/** The lines that somebody types at several brokers, and what they are answered. */
import { CliError } from "../command.ts";
import { lineGroups } from "../line_groups.ts";
import type { SeveralBrokers } from "./several_brokers.ts";

const HELP = "commands: list, stop ID, kill ID, start ID, help; Ctrl-C stops all";

/** Answers each line, in order, until there are no more; the brokers serve on then. */
export async function runConsole(
  brokers: SeveralBrokers,
  input: ReadableStream<Uint8Array<ArrayBuffer>>,
  say: (line: string) => void,
): Promise<void> {
  try {
    for await (const lines of lineGroups(input)) {
      for (const line of lines) {
        if (line.trim() !== "") say(await answer(brokers, line.trim()));
      }
    }
  } catch {
    // standard input that cannot be read brings no commands
  }
}

async function answer(brokers: SeveralBrokers, line: string): Promise<string> {
  const [, word, number] = /^([a-z]+)(?:\s+(\d+))?$/i.exec(line) ?? [];
  const command = word?.toLowerCase();
  const id = Number(number);
  try {
    if (command === "list" && number === undefined) return listed(brokers);
    if (command === "help") return HELP;
    if (number === undefined) return `not understood: ${line}; ${HELP}`;
    switch (command) {
      case "stop":
        await brokers.stopOne(id);
        return `broker ${id} is stopped; ` +
          (brokers.serving ? "the others lead what it led" : "none serves now");
      case "kill": {
        const seconds = await brokers.killOne(id) / 1_000;
        return `broker ${id} is killed; ` +
          (brokers.serving
            ? `the others take over once its lease has ended, in ${seconds} s`
            : "none serves now");
      }
      case "start":
        return `broker ${id} serves at ${await brokers.startOne(id)}`;
      default:
        return `not understood: ${line}; ${HELP}`;
    }
  } catch (error) {
    if (error instanceof CliError) return error.message;
    return `${line}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function listed(brokers: SeveralBrokers): string {
  return brokers.list().map(({ id, address, state, leads, controls }) => {
    const led = state === "serving" ? `, leads ${leads}${controls ? ", controller" : ""}` : "";
    return `broker ${id}  ${address}  ${state}${led}`;
  }).join("\n");
}
