import { assert, assertEquals, assertThrows } from "@std/assert";
import protobuf from "protobufjs";
import { seal, unseal } from "../../core/metadata/envelope.ts";
import { MetadataError } from "../../core/metadata/metadata_store.ts";
import {
  decodeMessage,
  encodeMessage,
  type Field,
  message,
  type MessageSchema,
  repeated,
  repeatedScalar,
  scalar,
  stringMap,
  UNKNOWN,
} from "../../core/metadata/protobuf.ts";
import { BROKER_CHAINS, RECORD_TYPES, TOPIC_CONFIG } from "../../core/metadata/records.ts";

const PROTO = new URL("../../docs/formats/metadata.proto", import.meta.url);

function loadProto(): protobuf.Root {
  const source = Deno.readTextFileSync(PROTO);
  return protobuf.parse(source, { keepCase: true }).root;
}

function shape(field: Field): string {
  const many = field.repeated ? "repeated " : "";
  if (field.kind === "map") return "map<string,string>";
  return many + (typeof field.kind === "string" ? field.kind : field.kind.name);
}

function protoShape(field: protobuf.Field): string {
  if (field instanceof protobuf.MapField) return `map<${field.keyType},${field.type}>`;
  return (field.repeated ? "repeated " : "") + field.type;
}

function nested(schema: MessageSchema): MessageSchema[] {
  const inner = Object.values(schema.fields).flatMap(({ kind }) =>
    typeof kind === "object" ? nested(kind) : []
  );
  return [schema, ...inner];
}

Deno.test("RECORD_TYPES are those of docs/formats/metadata.proto", () => {
  const root = loadProto();
  const text = Deno.readTextFileSync(PROTO);
  const schemas = new Map(
    RECORD_TYPES.flatMap((type) => nested(type.schema)).map((schema) => [schema.name, schema]),
  );
  const documented = (root.lookup("kafscale.metadata") as protobuf.Namespace).nestedArray;
  assertEquals(documented.map((type) => type.name).sort(), [...schemas.keys()].sort());
  for (const [name, schema] of schemas) {
    const type = root.lookupType(`kafscale.metadata.${name}`);
    const ours = Object.entries(schema.fields).map(([field, f]) => [field, f.id, shape(f)]);
    const theirs = type.fieldsArray.map((field) => [field.name, field.id, protoShape(field)]);
    assertEquals(ours, theirs, name);
  }
  for (const { kind, schema } of RECORD_TYPES) {
    assert(new RegExp(`// \\[${kind}\\] [^}]*\\nmessage ${schema.name} `).test(text), schema.name);
  }
  assertEquals(new Set(RECORD_TYPES.map((type) => type.kind)).size, RECORD_TYPES.length);
});

const INNER = message("Inner", { id: scalar(1, "int64"), name: scalar(2, "string") });
const OUTER = message("Outer", {
  text: scalar(1, "string"),
  raw: scalar(2, "bytes"),
  flag: scalar(3, "bool"),
  small: scalar(4, "int32"),
  large: scalar(5, "int64"),
  texts: repeatedScalar(6, "string"),
  numbers: repeatedScalar(7, "int64"),
  inner: repeated(8, INNER),
  map: stringMap(200),
});
const SAMPLE = {
  text: "grüße 😀",
  raw: new Uint8Array([0, 255, 128]),
  flag: true,
  small: -5,
  large: Number.MAX_SAFE_INTEGER,
  texts: ["a", "", "c"],
  numbers: [0, 1, -1, 2 ** 40, -(2 ** 40), Number.MIN_SAFE_INTEGER],
  inner: [{ id: 1, name: "one" }, { id: 0, name: "" }],
  map: new Map([["k", "v"], ["empty", ""]]),
};

const OUTER_PROTO = `syntax = "proto3";
  message Inner { int64 id = 1; string name = 2; }
  message Outer { string text = 1; bytes raw = 2; bool flag = 3; int32 small = 4; int64 large = 5;
    repeated string texts = 6; repeated int64 numbers = 7; repeated Inner inner = 8;
    map<string, string> map = 200; }`;

Deno.test("decodeMessage() reads what encodeMessage() wrote", () => {
  assertEquals(decodeMessage(OUTER, encodeMessage(OUTER, SAMPLE)), SAMPLE);
  const empty = decodeMessage(OUTER, encodeMessage(OUTER, {}));
  assertEquals(empty.numbers, []);
  assertEquals(empty.map, new Map());
  assertEquals(encodeMessage(OUTER, empty).length, 0);
});

Deno.test("the protobuf codec agrees with protobufjs both ways", () => {
  const type = protobuf.parse(OUTER_PROTO).root.lookupType("Outer");
  const plain = { ...SAMPLE, map: Object.fromEntries(SAMPLE.map) };
  const theirs = type.toObject(type.decode(encodeMessage(OUTER, SAMPLE)), { longs: Number });
  assertEquals({ ...theirs, raw: new Uint8Array(theirs.raw) }, {
    ...plain,
    inner: [{ id: 1, name: "one" }, {}],
  });
  const encoded = new Uint8Array(type.encode(type.fromObject(plain)).finish());
  assertEquals(decodeMessage(OUTER, encoded), SAMPLE);
});

Deno.test("decodeMessage() keeps fields that it doesn't know", () => {
  const older = message("Outer", { text: scalar(1, "string"), flag: scalar(3, "bool") });
  const read = decodeMessage(older, encodeMessage(OUTER, SAMPLE));
  assert(read[UNKNOWN] !== undefined);
  const back = encodeMessage(older, { ...read, text: "changed" });
  assertEquals(decodeMessage(OUTER, back), { ...SAMPLE, text: "changed" });
});

Deno.test("decodeMessage() refuses every cut of a message, or reads a shorter one", () => {
  const whole = encodeMessage(OUTER, SAMPLE);
  for (let end = 0; end < whole.length; end++) {
    try {
      decodeMessage(OUTER, whole.subarray(0, end));
    } catch (error) {
      assertEquals((error as Error).name, "MalformedError");
    }
  }
});

Deno.test("unseal() names the key of a value that is damaged or of another kind", () => {
  const sealed = seal(TOPIC_CONFIG, { name: "orders", partitions: 3 });
  assertEquals(unseal(TOPIC_CONFIG, "k", sealed).partitions, 3);
  for (let at = 0; at < sealed.length; at++) {
    const damaged = sealed.slice();
    damaged[at]! ^= 0x10;
    const error = assertThrows(() => unseal(TOPIC_CONFIG, "the/key", damaged), MetadataError);
    assertEquals(error.outcome, "fatal");
    assert(error.message.includes("the/key"));
  }
  assertThrows(() => unseal(BROKER_CHAINS, "k", sealed), MetadataError, "another kind");
});

Deno.test("seal() writes these bytes (compatibility-sensitive)", () => {
  const sealed = seal(TOPIC_CONFIG, {
    name: "t",
    partitions: 2,
    config: new Map([["retention.ms", "-1"]]),
    topic_id: "AbCdEfGhIjKlMnOpQrStUw",
    directory: "t",
  });
  const expected = "4b534d01010a017410024212" + "0a0c726574656e74696f6e2e6d7312022d31" +
    "820116" + "416243644566476849" + "6a4b6c4d6e4f7051725374" + "5577" + "8a010174";
  const hex = sealed.subarray(0, -4).toHex();
  assertEquals(hex, expected);
});
