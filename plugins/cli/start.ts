/** `start`: one broker in this process, until a signal. */
import { envName, type Setting, SETTING_KEYS, SETTINGS } from "../../core/config/mod.ts";
import type { Config, Source } from "../../core/config/mod.ts";
import type { Log } from "../../core/runtime/mod.ts";
import { systemLog } from "../../core/runtime/system.ts";
import { CliError, type Command, EXIT, type RunningBroker } from "./command.ts";
import { loadConfig } from "./load_config.ts";

export const command: Command = {
  usage: "start [flags]",
  summary: "Run a broker until SIGTERM or SIGINT.",
  details: [
    "At the first signal it answers what it has accepted, commits, and exits with 0; at the " +
    "second it exits at once, which loses nothing that was acknowledged. Logs go to standard " +
    "error.",
  ],
  flags: [],
  takesSettings: true,
  examples: [
    "kafscale start",
    "kafscale start --broker-addr :9192 --data-dir /var/lib/kafscale",
    "KAFSCALE_STORAGE=memory kafscale start",
  ],
  async run(invocation) {
    invocation.args.atMost(0);
    const { config, sources, warnings } = await loadConfig(invocation);
    const human = config.logFormat === "text" ||
      (config.logFormat === "auto" && Deno.stderr.isTerminal());
    const log = systemLog(config.logLevel, human);
    for (const warning of warnings) log.warn(warning);
    const { version, commit } = invocation.wiring;
    log.info("starting", { version, ...(commit && { commit }), ...changed(config, sources) });
    const signal = firstSignal();
    const broker = await invocation.wiring.startBroker(config, log).catch((error) => {
      throw listenError(error, config.brokerAddr);
    });
    announce(broker, log, human);
    const end = await Promise.race([signal, broker.failed.then(() => "failed" as const)]);
    if (end === "failed") return EXIT.failed;
    log.info("stopping", { signal: end });
    await broker.drain();
    await broker.stop();
    log.info("stopped");
    return EXIT.ok;
  },
};

/** What the system says about an address it cannot listen on, with what to do about it. */
function listenError(error: unknown, address: string): unknown {
  const choose = "choose another address with KAFSCALE_BROKER_ADDR";
  if (error instanceof Deno.errors.AddrInUse) {
    return new CliError(`${address} is in use by another program; stop that one, or ${choose}`);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new CliError(`${address} is no address of this machine; ${choose}`);
  }
  return error;
}

/** The settings that are not at their defaults. */
function changed(config: Config, sources: Readonly<Record<string, Source>>) {
  const settings: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    if (sources[key] === "default") continue;
    const setting: Setting = SETTINGS[key];
    settings[envName(key)] = setting.secret === true ? "(secret)" : config[key];
  }
  return Object.keys(settings).length === 0 ? {} : { settings };
}

/** The way to a first record: as text for a person, as a log line for everything else. */
function announce(broker: RunningBroker, log: Log, human: boolean): void {
  const client = `-b 127.0.0.1:${broker.port} -t first`;
  const produce = `echo hello | kcat -P ${client}`;
  const consume = `kcat -C ${client} -e -q`;
  if (!human) return log.info("to produce a first record", { produce, consume });
  console.log(
    [
      "",
      `  Produce a first record, and read it back:`,
      "",
      `    ${produce}`,
      `    ${consume}`,
      "",
      "  or, without other tools:",
      "",
      `    echo hello | deno task kafscale produce first${bootstrapFlag(broker)}`,
      `    deno task kafscale consume first --from-beginning${bootstrapFlag(broker)}`,
      "",
    ].join("\n"),
  );
}

function bootstrapFlag(broker: RunningBroker): string {
  return broker.port === 9092 ? "" : ` -b 127.0.0.1:${broker.port}`;
}

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** Resolves with the first signal; any further one ends the process at once. */
function firstSignal(): Promise<Deno.Signal> {
  const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
  let signals = 0;
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, () => {
      if (++signals > 1) Deno.exit(EXIT.interrupted);
      resolve(signal);
    });
  }
  return promise;
}
