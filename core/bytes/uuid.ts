/**
 * Topic and cluster ids: 16 bytes, written as Kafka prints them, 22 characters of unpadded
 * base64url.
 */
import { MalformedError } from "./reader.ts";

export const ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Int8Array(128).fill(-1);
for (let index = 0; index < 64; index++) VALUES[ALPHABET.charCodeAt(index)] = index;

/** The text of the 16 bytes at `at`. */
export function uuidText(bytes: Uint8Array, at = 0): string {
  let text = "";
  for (let index = 0; index < 15; index += 3) {
    const triple = (bytes[at + index]! << 16) | (bytes[at + index + 1]! << 8) |
      bytes[at + index + 2]!;
    text += ALPHABET[triple >>> 18]! + ALPHABET[(triple >>> 12) & 63]! +
      ALPHABET[(triple >>> 6) & 63]! + ALPHABET[triple & 63]!;
  }
  const last = bytes[at + 15]!;
  return text + ALPHABET[last >>> 2]! + ALPHABET[(last & 3) << 4]!;
}

/** The 16 bytes of `text`; throws MalformedError when it isn't a uuid's text. */
export function uuidBytes(text: string): Uint8Array {
  if (text.length !== 22) throw new MalformedError("a uuid has 22 characters");
  const bytes = new Uint8Array(16);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < 22; index++) {
    const value = VALUES[text.charCodeAt(index) & 127]!;
    if (value < 0) throw new MalformedError("a uuid has only base64url characters");
    bits = (bits << 6) | value;
    held += 6;
    if (held >= 8 && at < 16) {
      held -= 8;
      bytes[at++] = (bits >>> held) & 0xff;
    }
    bits &= (1 << held) - 1;
  }
  return bytes;
}
