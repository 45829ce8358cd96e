/** What every storage driver holds keys to, and the order in which it lists them. */
import { StoreError } from "../../core/storage/object_store.ts";

const KEY_BYTES_MAX = 1024;
const PLAIN = /^[\x21-\x7e]+$/;
const ODD_PART = /(?:^|\/)\.{0,2}(?:\/|$)/;
const utf8 = new TextEncoder();

/** Refuses what is not a key (see `ObjectStore`) with a fatal `StoreError`. */
export function checkKey(key: string): void {
  const fault = keyFault(key);
  if (fault !== undefined) {
    throw new StoreError("fatal", `object key ${JSON.stringify(key.slice(0, 200))} ${fault}`);
  }
}

function keyFault(key: string): string | undefined {
  if (key.length === 0) return "is empty";
  if (PLAIN.test(key)) {
    if (key.length > KEY_BYTES_MAX) return "is longer than 1,024 bytes";
  } else {
    if (!key.isWellFormed()) return "is not well-formed Unicode";
    if (key.includes("\0")) return "holds a NUL character";
    if (utf8.encode(key).length > KEY_BYTES_MAX) return "is longer than 1,024 bytes";
  }
  if (!ODD_PART.test(key)) return undefined;
  return key.split("/").includes("") ? "has an empty part" : "has a part that is . or ..";
}

/** Whether a key can start with `prefix`; a store that is asked for others may refuse. */
export function canStartKey(prefix: string): boolean {
  if (!prefix.isWellFormed() || prefix.includes("\0")) return false;
  return prefix.split("/").slice(0, -1).every((part) => part !== "" && !/^\.\.?$/.test(part));
}

/**
 * Orders keys as their UTF-8 bytes do. That is code-point order: it differs from the order of `<`
 * only where surrogates meet the characters from U+E000 on.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      const xHigh = x < 0xe000;
      const yHigh = y < 0xe000;
      if (xHigh !== yHigh) return xHigh ? 1 : -1;
    }
    return x - y;
  }
  return a.length - b.length;
}
