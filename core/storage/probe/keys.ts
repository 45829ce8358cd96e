/** Which keys a store takes for what they are. */
import { all, checkFails, checkSame, keysOf, readText, text } from "./check.ts";
import type { ProbeContext, StorePromise } from "./promise.ts";

const KEY_BYTES_MAX = 1024;

export const KEYS: readonly StorePromise[] = [
  {
    name: "unicode-keys",
    promise: "Keys are Unicode of up to 1,024 bytes, and come back as they were.",
    severity: "required",
    run: async (context) => {
      const { prefix } = context;
      const deep = `${prefix}deep/`;
      await comeBack(context, [
        `${prefix}ünï/cødé/日本語`,
        `${prefix}emoji/😀/x`,
        `${prefix}spaces and : * ? " < > | \\ % + & = # ' ( ) signs`,
        `${prefix}case/Topic`,
        `${prefix}case/topic`,
        `${prefix}nfc/\u{e9}`,
        `${prefix}nfc/e\u{301}`,
        `${prefix}.tmp/x`,
        `${prefix}part/${"ä".repeat(127)}`,
        deep.padEnd(KEY_BYTES_MAX - 1, "d/").replace(/\/$/, "d") + "e",
        `${prefix}~topic~Ab_-1/0/manifest-00000000000000000001`,
      ]);
    },
  },
  {
    name: "long-key-parts",
    promise: "A part of a key, between slashes, may have more than 255 bytes; KafScale's have not.",
    severity: "advised",
    run: async (context) => {
      const { prefix } = context;
      const rest = KEY_BYTES_MAX - new TextEncoder().encode(prefix).length;
      await comeBack(context, [
        `${prefix}${"l".repeat(rest)}`,
        `${prefix}${"ä".repeat(rest >> 1)}`,
        `${prefix}${"x".repeat(256)}/${"y".repeat(300)}`,
      ]);
    },
  },
  {
    name: "nested-keys",
    promise: "A key may go on where another one ends; KafScale's never do.",
    severity: "advised",
    run: async ({ store, prefix }) => {
      const [upper, lower] = [`${prefix}both`, `${prefix}both/below`];
      checkSame(await store.putIfAbsent(upper, text("object")), "created", "the upper one");
      checkSame(await store.putIfAbsent(lower, text("too")), "created", "the lower one");
      checkSame(await readText(store, upper), "object", "the upper one");
      checkSame(await readText(store, lower), "too", "the lower one");
    },
  },
  {
    name: "no-folders",
    promise: "A prefix that objects share is no object, and cannot be deleted as one.",
    severity: "required",
    run: async ({ store, prefix }) => {
      await store.put(`${prefix}f/a/b`, text("x"));
      checkSame(await store.get(`${prefix}f/a`, undefined), undefined, "reading the prefix");
      await store.delete([`${prefix}f/a`]);
      await store.delete([`${prefix}f`]);
      checkSame(await keysOf(store, `${prefix}f`), [`${prefix}f/a/b`], "after deleting the prefix");
    },
  },
  {
    name: "refused-keys",
    promise: "What is no key is refused by the driver, before it can become another key.",
    severity: "required",
    run: async ({ store, prefix }) => {
      const wrong = [
        "",
        "/",
        "/a",
        "a/",
        ".",
        "..",
        "../a",
        `${prefix}a/`,
        `${prefix}a//b`,
        `${prefix}a/../b`,
        `${prefix}a/./b`,
        `${prefix}a/..`,
        `${prefix}nul\0`,
        `${prefix}\ud800`,
        `${prefix}${"k".repeat(KEY_BYTES_MAX)}`,
        `${prefix}${"ä".repeat(KEY_BYTES_MAX >> 1)}`,
      ];
      for (const key of wrong) {
        const name = JSON.stringify(key.slice(0, 60));
        await checkFails(() => store.putIfAbsent(key, text("x")), "fatal", `creating ${name}`);
        await checkFails(() => store.put(key, text("x")), "fatal", `writing ${name}`);
        await checkFails(() => store.get(key, undefined), "fatal", `reading ${name}`);
        await checkFails(() => store.delete([key]), "fatal", `deleting ${name}`);
      }
      checkSame(await keysOf(store, prefix), [], "what came of it");
    },
  },
];

/** Creates all, reads them, lists them, deletes them. */
async function comeBack({ store, prefix }: ProbeContext, keys: readonly string[]): Promise<void> {
  const named = (key: string) => JSON.stringify(key.slice(prefix.length, prefix.length + 60));
  await all(keys.map(async (key) => {
    checkSame(await store.putIfAbsent(key, text(key)), "created", `creating ${named(key)}`);
    checkSame(await readText(store, key), key, `the object ${named(key)}`);
  }));
  checkSame((await keysOf(store, prefix)).toSorted(), keys.toSorted(), "the listing");
  await store.delete(keys);
  checkSame(await keysOf(store, prefix), [], "the listing after deleting all");
}
