/** A plugin that fails two seconds after each start, twice, and is well from then on. */
import { z } from "zod";
import type { Plugin } from "../../core/plugin/mod.ts";

let starts = 0;

export const plugin: Plugin = {
  name: "fragile",
  settings: z.strictObject({}),
  start: () => {
    const timer = ++starts > 2 ? undefined : setTimeout(() => {
      throw new Error("as it must");
    }, 2_000);
    return Promise.resolve({ stop: () => Promise.resolve(clearTimeout(timer)) });
  },
};
