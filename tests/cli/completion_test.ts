/** The completion scripts in the shells that they are for. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../plugins/cli/mod.ts";
import { haveTools } from "../clients/requirement.ts";
import { cli, withDirectory } from "./run_cli.ts";

/** Sources the script, then prints what it offers for a line's last word. */
const IN_BASH = `source "$1"; shift
for line in "$@"; do
  read -r -a COMP_WORDS <<<"$line"
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  _kafscale 2>/dev/null
  echo "\${COMPREPLY[*]}"
done`;

/** An interactive zsh: each line, a tab, and what the line is then. */
const IN_ZSH = `zmodload zsh/zpty
zpty z "TERM=dumb zsh -f -i"
zpty -w z "PROMPT=; autoload -Uz compinit; compinit -u -D; source $1
show() { print -r -- \\"<\\$BUFFER>\\"; BUFFER= }; zle -N show; bindkey '^X' show; print READY"
out=""
until [[ $out == *$'\\n'READY* ]]; do zpty -r z chunk || exit 1; out+=$chunk; done
shift
for line in "$@"; do
  zpty -w -n z "$line"$'\\t\\x18'
  out=""
  until [[ $out == *">"* ]]; do zpty -r z chunk '*>*' || exit 1; out+=$chunk; done
  print -r -- "\${\${out##*<}%%>*}"
done
zpty -d z`;

const IN_FISH = `source $argv[1]
for line in $argv[2..-1]
  complete -C $line | string replace -r '\\t.*' '' | string join ' '
end
true`;

/** One line of output for each line. */
async function complete(
  shell: string,
  args: readonly string[],
  lines: readonly string[],
): Promise<string[]> {
  const script = await cli(["completion", shell]);
  assertEquals(script.code, 0, script.stderr);
  let completed: string[] = [];
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/script`, script.stdout);
    const command = new Deno.Command(shell, {
      args: [...args, `${dir}/script`, ...lines],
      env: { HOME: dir },
      cwd: dir,
    });
    const { success, stdout, stderr } = await command.output();
    assert(success, new TextDecoder().decode(stderr));
    completed = new TextDecoder().decode(stdout).replace(/\n$/, "").split("\n");
  });
  return completed;
}

Deno.test("completion bash offers commands, actions and flags", async () => {
  const [commands, actions, reset, setting, file, value] = await complete(
    "bash",
    ["--norc", "-c", IN_BASH, "bash"],
    [
      "kafscale ",
      "kafscale groups ",
      "kafscale groups reset g --to-d",
      "kafscale start --broker-a",
      "kafscale groups reset g --from-file scr",
      "kafscale topics list -b ",
    ],
  );
  for (const name of COMMANDS.keys()) assertStringIncludes(` ${commands} `, ` ${name} `);
  assertEquals(actions, "list describe reset delete");
  assertEquals([reset, setting, file, value], ["--to-datetime", "--broker-addr", "script", ""]);
});

if (haveTools("completion in zsh", "zsh")) {
  Deno.test("completion zsh completes commands, actions and flags", async () => {
    const lines = await complete("zsh", ["-f", "-c", IN_ZSH, "zsh"], [
      "kafscale gro",
      "kafscale groups des",
      "kafscale groups reset g --to-da",
      "kafscale start --broker-a",
      "kafscale groups reset g --from-file scr",
    ]);
    assertEquals(lines.map((line) => line.trimEnd()), [
      "kafscale groups",
      "kafscale groups describe",
      "kafscale groups reset g --to-datetime",
      "kafscale start --broker-addr",
      "kafscale groups reset g --from-file script",
    ]);
  });
}

if (haveTools("completion in fish", "fish")) {
  Deno.test("completion fish offers commands, actions and flags", async () => {
    const lines = await complete("fish", ["--no-config", "-c", IN_FISH], [
      "kafscale gro",
      "kafscale groups ",
      "kafscale groups reset g --to-da",
      "kafscale start --broker-a",
      "kafscale groups reset g --from-file scr",
      "kafscale help ver",
    ]);
    assertEquals(lines, [
      "groups",
      "delete describe list reset",
      "--to-datetime",
      "--broker-addr",
      "script",
      "version",
    ]);
  });
}

Deno.test("completion names the nearest shell", async () => {
  const { code, stderr } = await cli(["completion", "fisch"]);
  assertEquals([code, stderr], [
    2,
    "kafscale completion: no completion for fisch; did you mean fish?\n",
  ]);
});
