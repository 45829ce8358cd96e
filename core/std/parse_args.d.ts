/** The part of `@std/cli/parse-args` that the command line uses. */
export interface ParseOptions {
  "--"?: boolean;
  alias?: Record<string, string | string[]>;
  boolean?: boolean | string | string[];
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  string?: string | string[];
  collect?: string | string[];
  negatable?: string | string[];
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}
export type Args = Record<string, unknown> & { _: (string | number)[]; "--"?: string[] };
export function parseArgs(args: readonly string[], options?: ParseOptions): Args;
