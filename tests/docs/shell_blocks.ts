/**
 * The ```sh blocks of a page, with what HTML comments in front of them say:
 *
 *     <!-- doc-test: skip: REASON -->   is not run
 *     <!-- doc-test: broker -->         is run in the background; the others run while it does
 *     <!-- doc-test: minio -->          is a broker on a MinIO, which minio_docs_test.ts runs
 *     <!-- doc-test: needs a broker --> where the page has no such block, one is run all the same
 *     <!-- doc-test: after the broker --> is run when the page's broker has stopped
 *     <!-- doc-test: prints TEXT -->    its output holds TEXT (may be repeated)
 */
export interface ShellBlock {
  readonly line: number;
  readonly commands: string;
  readonly skip: string | undefined;
  readonly broker: boolean;
  readonly needsBroker: boolean;
  readonly afterBroker: boolean;
  readonly prints: readonly string[];
}

/** `skip` of what a test of its own runs. */
export const ON_MINIO = "it needs a MinIO";

export function shellBlocks(markdown: string): ShellBlock[] {
  const blocks: ShellBlock[] = [];
  const lines = markdown.split("\n");
  let notes: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const note = /^<!-- doc-test: (.*) -->$/.exec(line)?.[1];
    if (note !== undefined) notes.push(note);
    else if (line.startsWith("```")) {
      const end = lines.indexOf("```", at + 1);
      if (end < 0) throw new Error(`line ${at + 1}: the block does not end`);
      if (line === "```sh") blocks.push(block(at + 1, lines.slice(at + 1, end), notes));
      at = end;
      notes = [];
    } else if (line.trim() !== "") notes = [];
  }
  return blocks;
}

function block(line: number, commands: readonly string[], notes: readonly string[]): ShellBlock {
  const known = /^(broker|needs a broker|after the broker|minio|skip: .+|prints .+)$/;
  const wrong = notes.find((note) => !known.test(note));
  if (wrong !== undefined) throw new Error(`line ${line}: unknown doc-test note "${wrong}"`);
  return {
    line,
    commands: commands.join("\n"),
    skip: notes.includes("minio")
      ? ON_MINIO
      : notes.find((note) => note.startsWith("skip: "))?.slice("skip: ".length),
    broker: notes.includes("broker"),
    needsBroker: notes.includes("needs a broker"),
    afterBroker: notes.includes("after the broker"),
    prints: notes.filter((note) => note.startsWith("prints ")).map((note) => note.slice(7)),
  };
}
