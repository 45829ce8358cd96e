/**
 * `@std/fmt/colors`, from the npm mirror of the standard library. Where JSR is reachable, point the
 * import map at `jsr:@std/fmt/colors` and delete this facade.
 * @module
 */
// @ts-types="./colors.d.ts"
export * from "deno-std/fmt/colors.js";
