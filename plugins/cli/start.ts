/** `start`: one broker in this process, or several, until a signal. */
import { envName, type Setting, SETTING_KEYS, SETTINGS } from "../../core/config/mod.ts";
import type { Config, Source } from "../../core/config/mod.ts";
import type { Log } from "../../core/runtime/mod.ts";
import { systemLog } from "../../core/runtime/system.ts";
import { type Command, EXIT, type Wiring } from "./command.ts";
import { loadConfig } from "./load_config.ts";
import { announce } from "./start/announcement.ts";
import { runConsole } from "./start/console.ts";
import { listenError } from "./start/listen_error.ts";
import { SeveralBrokers } from "./start/several_brokers.ts";

export const command: Command = {
  usage: "start [flags]",
  summary: "Run a broker until SIGTERM or SIGINT.",
  details: [
    "At the first signal it answers what it has accepted, commits, and exits with 0; at the " +
    "second it exits at once, which loses nothing that was acknowledged. Logs go to standard " +
    "error.",
    "--cluster 3 starts three brokers in this process, on one data directory, to try fail-over. " +
    "They take commands as lines on standard input: list, stop 1 (its partitions go to the " +
    "others first), kill 1 (as a crash: the others take over when its lease ends), start 1. In " +
    "a shell's background, give it </dev/null.",
  ],
  flags: [],
  takesSettings: true,
  examples: [
    "kafscale start",
    "kafscale start --broker-addr :9192 --data-dir /var/lib/kafscale",
    "KAFSCALE_STORAGE=memory kafscale start",
    "kafscale start --cluster 3",
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
    const broker = typeof config.cluster === "number"
      ? await SeveralBrokers.start(invocation.wiring, config, log)
      : await startOne(invocation.wiring, config, log);
    announce(broker, log, human);
    if (broker instanceof SeveralBrokers) void runConsole(broker, Deno.stdin.readable, console.log);
    const end = await Promise.race([signal, broker.failed.then(() => "failed" as const)]);
    if (end === "failed") return EXIT.failed;
    log.info("stopping", { signal: end });
    await broker.drain();
    await broker.stop();
    log.info("stopped");
    return EXIT.ok;
  },
};

async function startOne(wiring: Wiring, config: Config, log: Log) {
  const broker = await wiring.startBroker(config, log).catch((error) => {
    throw listenError(error, config.brokerAddr);
  });
  return { ...broker, count: 1, bootstrap: `127.0.0.1:${broker.port}` };
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
