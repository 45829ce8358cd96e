import { type Command, EXIT } from "./command.ts";

export const command: Command = {
  usage: "version",
  summary: "Print the version of KafScale, its commit, and the runtime under it.",
  flags: [{ name: "json", kind: "switch", doc: "Print JSON." }],
  takesSettings: false,
  examples: ["kafscale version"],
  run({ args, wiring }) {
    args.atMost(0);
    const { version, commit = null } = wiring;
    const { deno, v8 } = Deno.version;
    console.log(
      args.on("json")
        ? JSON.stringify({ kafscale: version, commit, deno, v8 })
        : `kafscale ${version} (${commit ?? "from source"}, deno ${deno}, v8 ${v8})`,
    );
    return EXIT.ok;
  },
};
