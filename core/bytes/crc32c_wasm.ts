/**
 * CRC-32C of large inputs in WebAssembly with 128-bit vectors, five to ten times slicing-by-8 in
 * JavaScript. The module is assembled here at load, so nothing binary lies in the repository.
 *
 * How: take the message as a polynomial in y = x^128, one 16-byte word a coefficient. In GF(2),
 * G(x^128) = G(x)^128, so whatever multiple of the generator G is sparse in x is as sparse in y,
 * and adding multiples of it does not change the CRC. With such a multiple of degree D and few
 * terms, the first words are cleared from the front, each for one vector XOR a term:
 *
 *     out[i] = message[i] ^ out[i - t1] ^ out[i - t2] ^ … ^ out[i - D]      for i < words - D
 *
 * and the last D words, with the same sums over the cleared words only, have the CRC of the whole.
 * A first fold leaves 3,344 bytes, a second one 1,264, and slicing-by-16 does the rest. The folds
 * have no table look-ups and no dependency chain (the nearest tap is far behind), which is why they
 * run near the speed of the first-level cache.
 */

/**
 * Distances in words. y^D plus the sum of y^(D - t) is the shortest multiple of G with six terms;
 * with four the shortest has degree 5,275, which would leave too much for the later steps.
 */
export const FIRST_FOLD_TAPS = [65, 155, 170, 195, 209] as const;
/** The shortest multiple with eight terms. */
export const SECOND_FOLD_TAPS = [4, 8, 21, 61, 67, 78, 79] as const;

/** Bytes of message that one call takes; 64 KiB and its tables fit the second-level cache. */
export const PIECE_BYTES = 65_536;
/** Under twice its residue a fold clears less than it walks over. */
const FIRST_FOLD_BYTES_MIN = 2 * 16 * 209;
const SECOND_FOLD_BYTES_MIN = 2 * 16 * 79;

const TABLE_BYTES = 1024;
/** Where a piece begins in the module's memory: after the sixteen tables. */
const DATA = 16 * TABLE_BYTES;
const PAGES = 2;

type Code = readonly number[];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.push(rest);
  return out;
}

/** Signed LEB128. */
function sleb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest < -64 || rest > 63) {
    out.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  out.push(rest & 0x7f);
  return out;
}

const I32 = 0x7f;
const ADD = 0x6a, SUB = 0x6b, AND = 0x71, XOR = 0x73, SHL = 0x74, SHR_U = 0x76;
const GT_U = 0x4b, GE_U = 0x4f;
const V_XOR: Code = [0xfd, 0x51];
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const constant = (value: number): Code => [0x41, ...sleb(value)];
const load32 = (offset: number): Code => [0x28, 0, ...leb(offset)];
const load8 = (offset: number): Code => [0x2d, 0, ...leb(offset)];
const loadVector = (offset: number): Code => [0xfd, 0x00, 4, ...leb(offset)];
const storeVector = (offset: number): Code => [0xfd, 0x0b, 4, ...leb(offset)];
const advance = (local: number, by: number): Code => [
  ...[get(local), constant(by), [ADD], set(local)].flat(),
];
/** `while (!stop) body`, where `stop` leaves an i32. */
const until = (stop: Code, body: Code): Code => [
  ...[0x02, 0x40, 0x03, 0x40],
  ...stop,
  ...[0x0d, 1],
  ...body,
  ...[0x0c, 0, 0x0b, 0x0b],
];

interface WasmFunction {
  readonly name: string;
  readonly params: number;
  readonly locals: number;
  readonly body: Code;
}

/** The address of the table entry for byte `byte` of `local`, less the table's own address. */
function entryOf(local: number, byte: number): Code {
  const shifted = byte === 0 ? [] : [...constant(8 * byte), SHR_U];
  const masked = byte === 3 ? [] : [...constant(255), AND];
  return [...get(local), ...shifted, ...masked, ...constant(2), SHL];
}

/** slice(start, end, crc) → crc: slicing by 16, then byte by byte. */
function sliceFunction(): WasmFunction {
  const [at, end, crc, stop] = [0, 1, 2, 3] as const;
  const words = [4, 5, 6, 7] as const;
  const step: number[] = [];
  words.forEach((word, index) => {
    step.push(...get(at), ...load32(4 * index));
    if (index === 0) step.push(...get(crc), XOR);
    step.push(...set(word));
  });
  words.forEach((word, index) => {
    for (let byte = 0; byte < 4; byte++) {
      const position = 4 * index + byte;
      step.push(...entryOf(word, byte), ...load32((15 - position) * TABLE_BYTES));
      if (position > 0) step.push(XOR);
    }
  });
  const single = [get(crc), get(at), load8(0), [XOR], set(4), entryOf(4, 0)].flat();
  const body = [
    ...[get(end), constant(16), [SUB], set(stop)].flat(),
    ...until([...get(at), ...get(stop), GT_U], [...step, ...set(crc), ...advance(at, 16)]),
    ...until([...get(at), ...get(end), GE_U], [
      ...single,
      ...load32(0),
      ...[get(crc), constant(8), [SHR_U, XOR], set(crc)].flat(),
      ...advance(at, 1),
    ]),
    ...get(crc),
  ];
  return { name: "slice", params: 3, locals: 5, body };
}

/**
 * name(start, end) → start of the residue. Both are multiples of 16; the range is at least twice
 * as long as the residue. Near the front only the taps that stay inside the message apply, near the
 * end only those that reach back to a cleared word: one small loop for each set.
 */
function foldFunction(name: string, taps: readonly number[]): WasmFunction {
  const [start, end, behind, stop] = [0, 1, 2, 3] as const;
  // `behind` stays D words behind the current word, because load offsets are never negative.
  const residue = 16 * taps.at(-1)!;
  const walk = (active: readonly number[]): Code =>
    until([...get(behind), ...get(stop), GE_U], [
      ...get(behind),
      ...get(behind),
      ...loadVector(residue),
      ...active.flatMap((t) => [...get(behind), ...loadVector(residue - 16 * t), ...V_XOR]),
      ...storeVector(residue),
      ...advance(behind, 16),
    ]);
  const body: number[] = [];
  body.push(...get(start), ...constant(16 * taps[0]! - residue), ADD, ...set(behind));
  for (let count = 1; count < taps.length; count++) {
    body.push(...get(start), ...constant(16 * taps[count]! - residue), ADD, ...set(stop));
    body.push(...walk(taps.slice(0, count)));
  }
  for (let first = 0; first < taps.length; first++) {
    body.push(...get(end), ...constant(2 * residue - 16 * taps[first]!), SUB, ...set(stop));
    body.push(...walk(taps.slice(first)));
  }
  body.push(...get(end), ...constant(residue), SUB);
  return { name, params: 2, locals: 2, body };
}

function section(id: number, content: Code): Code {
  return [id, ...leb(content.length), ...content];
}

function exported(name: string, kind: number, index: number): Code {
  return [name.length, ...[...name].map((char) => char.charCodeAt(0)), kind, index];
}

function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const count = functions.length;
  const bodies = functions.map(({ locals, body }) => {
    const code = [1, locals, I32, ...body, 0x0b];
    return [...leb(code.length), ...code];
  });
  const signatures = functions.map((
    { params },
  ) => [0x60, params, ...Array(params).fill(I32), 1, I32]);
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [count, ...signatures.flat()]),
    ...section(3, [count, ...functions.keys()]),
    ...section(5, [1, 1, PAGES, PAGES]),
    ...section(7, [
      count + 1,
      ...exported("memory", 2, 0),
      ...functions.flatMap(({ name }, index) => exported(name, 0, index)),
    ]),
    ...section(10, [count, ...bodies.flat()]),
  ]);
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  slice(start: number, end: number, crc: number): number;
  foldFirst(start: number, end: number): number;
  foldSecond(start: number, end: number): number;
}

/** CRC-32C of `bytes[start, end)` from and to the raw register (not inverted). */
export type RawCrc = (bytes: Uint8Array, start: number, end: number, register: number) => number;

/** `tables` are the sixteen of slicing-by-16; undefined where WebAssembly (or its SIMD) is off. */
export function wasmCrc32c(tables: Uint32Array): RawCrc | undefined {
  let wasm: Exports;
  try {
    const code = assemble([
      sliceFunction(),
      foldFunction("foldFirst", FIRST_FOLD_TAPS),
      foldFunction("foldSecond", SECOND_FOLD_TAPS),
    ]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code));
    wasm = instance.exports as unknown as Exports;
  } catch {
    return undefined;
  }
  const memory = new Uint8Array(wasm.memory.buffer);
  const firstWord = new Uint32Array(wasm.memory.buffer, DATA, 1);
  memory.set(new Uint8Array(tables.buffer, tables.byteOffset, DATA));

  const piece = (length: number, register: number): number => {
    let from = DATA;
    let crc = register;
    if (length >= SECOND_FOLD_BYTES_MIN + 15) {
      // A register is the same as its XOR into the first four bytes with a register of zero.
      firstWord[0]! ^= crc;
      crc = 0;
      const words = DATA + (length & ~15);
      if (length >= FIRST_FOLD_BYTES_MIN + 15) from = wasm.foldFirst(from, words);
      from = wasm.foldSecond(from, words);
    }
    return wasm.slice(from, DATA + length, crc);
  };
  return (bytes, start, end, register) => {
    let crc = register;
    for (let at = start; at < end; at += PIECE_BYTES) {
      const stop = Math.min(at + PIECE_BYTES, end);
      memory.set(bytes.subarray(at, stop), DATA);
      crc = piece(stop - at, crc);
    }
    return crc;
  };
}
