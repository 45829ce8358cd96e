/**
 * Keys as relative paths and back. A part of a key is a file name, as it is where it holds nothing
 * but `A-Z a-z 0-9 . _ ~ - + = @ ,`. Any other byte of its UTF-8 form is written `%XX`; so is the
 * dot of a first part `.tmp` or `.journal`, and upper case where the file system doesn't tell it
 * from lower case. A name of more than 240 characters is cut into folders that end in `%+`. Outside
 * a key's own parts nothing can be named: no `..`, no absolute path, no NUL.
 */
import { JOURNAL_DIR, TEMP_DIR } from "./settings.ts";

const SAFE = /^[A-Za-z0-9._~+=@,-]+$/;
const SAFE_LOWER = /^[a-z0-9._~+=@,-]+$/;
const NAME_CHARS_MAX = 240;
const CONTINUED = "%+";
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Bytes as a string of one char each: ordered by `<` as the bytes are. */
export type Binary = string;

export function toBinary(text: string): Binary {
  // deno-lint-ignore no-control-regex -- ASCII is its own binary form
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return String.fromCharCode(...utf8.encode(text));
}

export function fromBinary(binary: Binary): string {
  // deno-lint-ignore no-control-regex -- ASCII is its own binary form
  if (/^[\x00-\x7f]*$/.test(binary)) return binary;
  return fromUtf8.decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}

/** The file name of one part (a path of several where it is long). */
function encodePart(part: string, first: boolean, foldsCase: boolean): string {
  const safe = foldsCase ? SAFE_LOWER : SAFE;
  let name = part;
  if (!safe.test(part)) {
    name = "";
    for (const char of toBinary(part)) {
      name += safe.test(char) ? char : "%" + hex(char.charCodeAt(0));
    }
  } else if (first && (part === TEMP_DIR || part === JOURNAL_DIR)) name = "%2E" + part.slice(1);
  if (name.length <= NAME_CHARS_MAX) return name;
  let path = "";
  while (name.length > NAME_CHARS_MAX) {
    let cut = NAME_CHARS_MAX;
    if (name[cut - 1] === "%") cut -= 1;
    else if (name[cut - 2] === "%") cut -= 2;
    path += name.slice(0, cut) + CONTINUED + "/";
    name = name.slice(cut);
  }
  return path + name;
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/** `key` has passed `checkKey`. */
export function pathOfKey(key: string, foldsCase: boolean): string {
  const parts = key.split("/");
  for (let at = 0; at < parts.length; at++) {
    parts[at] = encodePart(parts[at]!, at === 0, foldsCase);
  }
  return parts.join("/");
}

export interface DecodedName {
  /** The part of the key that the name holds. */
  readonly part: Binary;
  /** The name is a folder that holds the rest of the same part. */
  readonly continued: boolean;
}

/** undefined for names that this store never gives. */
export function decodeName(name: string): DecodedName | undefined {
  if (SAFE.test(name)) return { part: name, continued: false };
  const continued = name.endsWith(CONTINUED);
  const encoded = continued ? name.slice(0, -CONTINUED.length) : name;
  if (!/^(?:[A-Za-z0-9._~+=@,-]|%[0-9A-F]{2})+$/.test(encoded)) return undefined;
  const part = encoded.replace(
    /%([0-9A-F]{2})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 16)),
  );
  return { part, continued };
}
