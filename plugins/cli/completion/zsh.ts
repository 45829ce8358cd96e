import type { CompletedCommand, CompletedFlag } from "./words.ts";

/** A completion function; works from a file named _kafscale in $fpath, and when it is sourced. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = (pairs: readonly (readonly [string, string])[], indent: string) =>
    pairs.map(([name, doc]) => `${indent}${quoted(`${name}:${doc.replaceAll(":", "\\:")}`)}`)
      .join("\n");
  const cases = commands.map(({ name, actions, flags }) =>
    [
      `    ${name})`,
      "      _arguments -s \\",
      ...flags.map((flag) => `        ${flagSpec(flag)} \\`),
      actions.length === 0 ? "        '*: :_files'" : `        '1: :(${actions.join(" ")})'`,
      "      ;;",
    ].join("\n")
  );
  return `#compdef kafscale
# zsh completion of kafscale: kafscale completion zsh > "\${fpath[1]}/_kafscale"
_kafscale() {
  local -a commands
  commands=(
${described(commands.map(({ name, summary }) => [name, summary]), "    ")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=\${words[2]}
  # what follows sees the command as the first word
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
    help) _describe command commands ;;
  esac
}
if [ "\${funcstack[1]}" = "_kafscale" ]; then
  _kafscale "$@"
else
  compdef _kafscale kafscale
fi
`;
}

/** _arguments' form, which may be given again: '*--flag[doc]:value:action'. */
function flagSpec({ name, short, takesValue, takesFile, doc }: CompletedFlag): string {
  const value = takesFile ? ":file:_files" : takesValue ? ":value: " : "";
  const shown = `[${doc.replace(/[[\]:\\]/g, "\\$&")}]`;
  const repeated = `*--${name}${shown}${value}`;
  if (short === undefined) return quoted(repeated);
  return `${quoted(`*-${short}${shown}${value}`)} ${quoted(repeated)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
