/** Rows in columns, for people. */
import { bold } from "@std/fmt/colors";

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly right?: true;
}

/** Text, or text that looks some way on a terminal. */
export type Cell = string | { readonly text: string; readonly style: (text: string) => string };

/** The title line and one line a row, columns as wide as their widest cell; no trailing blanks. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  styled = Deno.stdout.isTerminal(),
): string[] {
  const titles = columns.map(({ title }) => ({ text: title, style: bold }));
  const cells = [titles, ...rows].map((row) =>
    row.map((cell) => {
      const text = printable(typeof cell === "string" ? cell : cell.text);
      const shown = typeof cell === "string" || !styled ? text : cell.style(text);
      return { shown, width: [...text].length };
    })
  );
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]!.width)));
  return cells.map((row) =>
    row.map(({ shown, width }, at) => {
      const blanks = " ".repeat(widths[at]! - width);
      return columns[at]!.right ? blanks + shown : shown + blanks;
    }).join("  ").trimEnd()
  );
}

/** Names come from clients: a control character in one must not reach the terminal. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd");
}
