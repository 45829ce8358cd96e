/** The part of `@std/fmt/colors` that the command line uses. NO_COLOR turns all of it off. */
export function bold(str: string): string;
export function dim(str: string): string;
export function green(str: string): string;
export function red(str: string): string;
export function yellow(str: string): string;
export function stripAnsiCode(str: string): string;
