/** A bar for long work: on a terminal alone, on standard error, redrawn in place. */
const WIDTH = 24;
const REDRAW_MS = 100;

export class Progress {
  readonly #on = Deno.stderr.isTerminal();
  readonly #encoder = new TextEncoder();
  #drawnMs = -Infinity;

  constructor(readonly label: string) {}

  /** `done` from 0 to 1; what else there is to say stands behind the bar. */
  update(done: number, note: string): void {
    const nowMs = performance.now();
    if (!this.#on || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#write(`\r\x1b[K${bar(this.label, done, note)}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#on) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(this.#encoder.encode(text));
  }
}

/** "produce  [██████      ]  47 %  82.1 MiB/s". */
export function bar(label: string, done: number, note: string): string {
  const share = Math.min(Math.max(done, 0), 1);
  const full = Math.floor(share * WIDTH);
  const drawn = "█".repeat(full) + " ".repeat(WIDTH - full);
  return `${label}  [${drawn}]  ${Math.floor(share * 100)} %  ${note}`;
}
