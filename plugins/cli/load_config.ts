/** Reads the environment's file and hands everything to core/config, which does no I/O itself. */
import { type ConfigInput, type ConfigResult, resolveConfig } from "../../core/config/mod.ts";
import { CliError, type Invocation } from "./command.ts";

type Resolved = Extract<ConfigResult, { ok: true }>;

/** The effective settings of this invocation, or a CliError that lists everything wrong. */
export async function loadConfig({ args, env }: Invocation): Promise<Resolved> {
  const name = args.text("config") ?? (env.KAFSCALE_CONFIG || undefined);
  const file = name === undefined ? undefined : { name, values: await readJson(name) };
  return resolved({ env, file, flags: args.settings });
}

/** As `loadConfig`, from the environment alone. */
export function environmentConfig(env: Invocation["env"]): Resolved {
  return resolved({ env, flags: {} });
}

function resolved(input: ConfigInput): Resolved {
  const result = resolveConfig(input);
  if (!result.ok) throw new CliError(result.errors.join("\n"));
  return result;
}

async function readJson(name: string): Promise<unknown> {
  let text: string;
  try {
    text = await Deno.readTextFile(name);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "does not exist" : "cannot be read";
    throw new CliError(`the settings file ${name} ${why}; name an existing one with --config`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(`the settings file ${name} is not valid JSON: ${(error as Error).message}`);
  }
}
