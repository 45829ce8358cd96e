import type { CompletedCommand } from "./words.ts";

/** For bash 4 or later; needs nothing else. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const flags = (
    command: CompletedCommand,
    wanted: (each: { takesValue: boolean; takesFile: boolean }) => boolean,
  ) =>
    command.flags.filter(wanted).flatMap(({ name, short }) =>
      short ? [`--${name}`, `-${short}`] : [`--${name}`]
    );
  const cases = commands.map((command) =>
    [
      `    ${command.name})`,
      `      actions="${command.actions.join(" ")}"`,
      `      flags="${
        flags(command, () => true).filter((each) => each.startsWith("--")).join(" ")
      }"`,
      `      files="${flags(command, ({ takesFile }) => takesFile).join(" ")}"`,
      `      values="${flags(command, ({ takesValue }) => takesValue).join(" ")}"`,
      "      ;;",
    ].join("\n")
  );
  return `# bash completion of kafscale: source <(kafscale completion bash)
_kafscale() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local actions="" flags="" files="" values=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${
    commands.map(({ name }) => name).join(" ")
  } help --help --version" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
    help)
      COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$current"))
      return
      ;;
    *) return ;;
  esac
  if [[ " $files " == *" $previous "* ]]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ " $values " == *" $previous "* ]]; then
    return
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [ "$COMP_CWORD" -eq 2 ]; then
    COMPREPLY=($(compgen -W "$actions" -- "$current"))
  fi
}
complete -F _kafscale kafscale
`;
}
