/** `completion`: scripts that complete command lines, made from the tables that the help is. */
import { flagsOf } from "./arguments.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { type CompletedCommand, completedCommand } from "./completion/words.ts";
import { zshScript } from "./completion/zsh.ts";
import { COMMANDS } from "./mod.ts";
import { suggest } from "../../core/config/mod.ts";

const SHELLS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export const command: Command = {
  usage: "completion bash | zsh | fish",
  summary: "Print a script that completes command lines in a shell.",
  details: [
    "bash: source <(kafscale completion bash) in ~/.bashrc. zsh: write it to a file named " +
    "_kafscale in a directory of $fpath. fish: to ~/.config/fish/completions/kafscale.fish.",
  ],
  actions: Object.keys(SHELLS),
  flags: [],
  takesSettings: false,
  examples: [
    "source <(kafscale completion bash)",
    "kafscale completion zsh > ~/.zfunc/_kafscale",
    "kafscale completion fish > ~/.config/fish/completions/kafscale.fish",
  ],
  async run({ args }) {
    const shell = args.only("the shell's name");
    const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (script === undefined) {
      throw new UsageError(`no completion for ${shell}${suggest(shell, Object.keys(SHELLS))}`);
    }
    const commands = await Promise.all(
      [...COMMANDS].map(async ([name, entry]) => {
        const { command } = await entry.load();
        return completedCommand(name, entry.summary, command, flagsOf(command));
      }),
    );
    console.log(script(commands).trimEnd());
    return EXIT.ok;
  },
};
