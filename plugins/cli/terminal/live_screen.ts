/** The whole terminal for something that changes; what was on it comes back at the end. */

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_TO_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** Without one the size of a terminal is unknown. */
const DEFAULT_SIZE = { rows: 24, columns: 80 };

export class LiveScreen {
  readonly #encoder = new TextEncoder();
  readonly #quit = new AbortController();
  readonly #keys = Deno.stdin.isTerminal();

  constructor() {
    this.#write(ENTER);
    if (!this.#keys) return;
    // keys come at once and unseen; Ctrl-C stays a signal
    Deno.stdin.setRaw(true, { cbreak: true });
    void this.#readKeys();
  }

  /** Aborts when q is pressed. */
  get quit(): AbortSignal {
    return this.#quit.signal;
  }

  /** Lines that there is room for. */
  get height(): number {
    return size().rows;
  }

  /** Draws from the top; what is too wide is cut. */
  show(lines: readonly string[]): void {
    const { rows, columns } = size();
    const drawn = lines.slice(0, rows).map((line) => cut(line, columns) + CLEAR_TO_LINE_END);
    this.#write(HOME + drawn.join("\r\n") + CLEAR_BELOW);
  }

  close(): void {
    if (this.#keys) Deno.stdin.setRaw(false);
    this.#write(LEAVE);
  }

  async #readKeys(): Promise<void> {
    const buffer = new Uint8Array(16);
    while (!this.#quit.signal.aborted) {
      const length = await Deno.stdin.read(buffer).catch(() => null);
      if (length === null) return;
      if (new TextDecoder().decode(buffer.subarray(0, length)).includes("q")) this.#quit.abort();
    }
  }

  #write(text: string): void {
    const bytes = this.#encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

function size(): { readonly rows: number; readonly columns: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return DEFAULT_SIZE;
  }
}

/** The first `columns` characters; colours take no room. */
export function cut(line: string, columns: number): string {
  let width = 0;
  let cut = "";
  // deno-lint-ignore no-control-regex -- colours begin with one
  for (const [part] of line.matchAll(/\x1b\[[\d;]*m|[\s\S]/gu)) {
    if (part.length === 1 || !part.startsWith("\x1b")) {
      if (width === columns) continue;
      width++;
    }
    cut += part;
  }
  return cut;
}
