/**
 * `@std/assert`, from the npm mirror of the standard library. Where JSR is reachable, point the
 * import map at `jsr:@std/assert` and delete this facade.
 * @module
 */
// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
