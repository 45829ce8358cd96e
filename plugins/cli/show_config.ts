import { envName, type Setting, SETTING_KEYS, SETTINGS } from "../../core/config/mod.ts";
import { type Command, EXIT } from "./command.ts";
import { loadConfig } from "./load_config.ts";

export const command: Command = {
  usage: "config [flags]",
  summary: "Show the effective settings and where each came from.",
  details: ["Checks them as `start` does, and starts nothing. Secrets are not printed."],
  flags: [{ name: "json", kind: "switch", doc: "Print JSON." }],
  takesSettings: true,
  examples: ["kafscale config", "kafscale config --config broker.json --json"],
  async run(invocation) {
    invocation.args.atMost(0);
    const { config, sources, warnings } = await loadConfig(invocation);
    for (const warning of warnings) console.error(`warning: ${warning}`);
    const rows = SETTING_KEYS.map((key) => {
      const setting: Setting = SETTINGS[key];
      const secret = setting.secret === true && config[key] !== null;
      return {
        key,
        value: secret ? "(secret)" : config[key],
        shown: secret ? "(secret)" : setting.kind.show(config[key]),
        source: sources[key],
      };
    });
    if (invocation.args.on("json")) {
      const entries = rows.map(({ key, value, source }) => [key, { value, source }]);
      console.log(JSON.stringify(Object.fromEntries(entries), undefined, 2));
      return EXIT.ok;
    }
    const nameWidth = Math.max(...rows.map(({ key }) => envName(key).length));
    const valueWidth = Math.max(...rows.map(({ shown }) => shown.length));
    for (const { key, shown, source } of rows) {
      console.log(`${envName(key).padEnd(nameWidth)}  ${shown.padEnd(valueWidth)}  ${source}`);
    }
    return EXIT.ok;
  },
};
