/**
 * `@std/cli/parse-args`, from the npm mirror of the standard library. Where JSR is reachable, point
 * the import map at `jsr:@std/cli/parse-args` and delete this facade.
 * @module
 */
// @ts-types="./parse_args.d.ts"
export * from "deno-std/cli/parse_args.js";
