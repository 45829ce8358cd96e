import type { Log } from "../../../core/runtime/mod.ts";

interface Started {
  /** HOST:PORT, several with commas between them. */
  readonly bootstrap: string;
  readonly count: number;
}

/** The way to a first record: as text for a person, as a log line for everything else. */
export function announce(started: Started, log: Log, human: boolean): void {
  const { bootstrap, count } = started;
  const client = `-b ${bootstrap} -t first`;
  const produce = `echo hello | kcat -P ${client}`;
  const consume = `kcat -C ${client} -e -q`;
  if (!human) return log.info("to produce a first record", { produce, consume });
  const flag = bootstrap === "127.0.0.1:9092" ? "" : ` -b ${bootstrap}`;
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
      `    echo hello | deno task kafscale produce first${flag}`,
      `    deno task kafscale consume first --from-beginning${flag}`,
      "",
      ...(count === 1 ? [] : [
        `  ${count} brokers. To try fail-over, type: list, stop 1, kill 1, start 1, help.`,
        "",
      ]),
    ].join("\n"),
  );
}
