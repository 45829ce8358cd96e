import { assert, assertEquals } from "@std/assert";
import protobuf from "protobufjs";
import { MESSAGES, SERVICES } from "../../plugins/control/schema.ts";
import { waitUntil } from "../clients/wait_until.ts";
import { HostedBroker } from "./hosted.ts";

const PROTO = new URL("../../docs/formats/control.proto", import.meta.url);

Deno.test("MESSAGES and SERVICES are those of docs/formats/control.proto", () => {
  const { root } = protobuf.parse(Deno.readTextFileSync(PROTO), { keepCase: true });
  const all = (root.lookup("kafscale.control") as protobuf.Namespace).nestedArray;
  const types = all.filter((each) => each instanceof protobuf.Type);
  const services = all.filter((each) => each instanceof protobuf.Service);
  assertEquals(types.map(({ name }) => name).sort(), Object.keys(MESSAGES).sort());
  for (const type of types) {
    const fields = type.fieldsArray.map((field) => [
      field.name,
      field.id,
      field.type,
      field instanceof protobuf.MapField ? "map" : field.repeated ? "repeated" : undefined,
    ]);
    const ours = MESSAGES[type.name]!.map(([name, id, kind, more]) => [name, id, kind, more]);
    assertEquals(ours, fields, type.name);
  }
  const methods = Object.fromEntries(services.map((service) => [
    service.name,
    Object.fromEntries(service.methodsArray.map((method) => {
      assert(!method.requestStream);
      return [method.name, [
        method.requestType,
        method.responseType,
        method.responseStream ?? false,
      ]];
    })),
  ]));
  assertEquals(methods, SERVICES as unknown as typeof methods);
});

Deno.test("control says which file of its TLS is missing", async () => {
  await using broker = await HostedBroker.open({
    controlAddr: "127.0.0.1:0",
    controlCertFile: "/nowhere/cert.pem",
    controlKeyFile: "/nowhere/key.pem",
  });
  await waitUntil(
    "the sentence",
    () =>
      broker.scene.log.lines.some(({ fields }) =>
        /KAFSCALE_CONTROL_CERT_FILE names \/nowhere\/cert.pem, which cannot be read/
          .test(String(fields?.["error"]))
      ) || undefined,
  );
});
