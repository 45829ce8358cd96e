/** The list of what is in a binary, by CycloneDX's own schema and against the bundle. */
import "npm:ajv@8.20.0";
import "npm:ajv-formats@3.0.1";
import "npm:ajv-formats-draft2019@1.6.1";
import { Spec, Validation } from "npm:@cyclonedx/cyclonedx-library@10.3.0";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bundle } from "../../deploy/binary/bundle.ts";
import { ROOT } from "../../deploy/binary/deno.ts";
import { type Lock, sbom } from "../../deploy/binary/sbom.ts";

const ABOUT = {
  version: "1.2.3",
  commit: "0123456789ab",
  builtFrom: "2025-01-02T03:04:05+01:00",
  runtime: { deno: "2.9.6", v8: "15.0" },
};

Deno.test("sbom() of the program is valid CycloneDX, and complete", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kafscale-sbom-" });
  try {
    const { packages } = await bundle("main.ts", `${folder}/program`);
    const lock: Lock = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
    const document = sbom({ ...ABOUT, packages }, lock, () => "MIT");
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    assertEquals(await validator.validate(JSON.stringify(document)), null);
    const refs = document.components.map((each) => each["bom-ref"]);
    assertEquals(refs.length, packages.length + 1);
    assertEquals(new Set(refs).size, refs.length);
    const reached = new Set<string>();
    const reach = (ref: string) => {
      if (reached.has(ref)) return;
      reached.add(ref);
      for (const next of document.dependencies.find((each) => each.ref === ref)!.dependsOn) {
        reach(next);
      }
    };
    reach(document.metadata.component["bom-ref"]);
    assertEquals(refs.filter((ref) => !reached.has(ref)), [], "nothing depends on these");
    const wrong = { ...document, components: [{ type: "library" }] };
    assert(await validator.validate(JSON.stringify(wrong)) !== null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sbom() takes hashes, dependencies and licenses from where they are declared", () => {
  const lock: Lock = {
    npm: {
      "@a/b@1.0.0_c@2.0.0": { integrity: "sha512-/wA=", dependencies: ["c", "d@3.0.0", "gone"] },
      "c@2.0.0": { integrity: "sha512-AQ==" },
      "d@3.0.0": { integrity: "sha512-Ag==" },
      "d@4.0.0": { integrity: "sha512-Aw==" },
      "gone@1.0.0": { integrity: "sha512-BA==" },
    },
    workspace: { dependencies: ["npm:@a/b@1.0.0", "npm:gone@1.0.0"] },
  };
  const packages = [["@a/b", "1.0.0"], ["c", "2.0.0"], ["d", "3.0.0"]]
    .map(([name, version]) => ({ name: name!, version: version!, root: "" }));
  const license = (each: { name: string }) => each.name === "c" ? undefined : "(MIT OR ISC)";
  const { components, dependencies } = sbom({ ...ABOUT, packages }, lock, license);
  assertEquals(components[1], {
    type: "library",
    "bom-ref": "pkg:npm/%40a/b@1.0.0",
    group: "@a",
    name: "b",
    version: "1.0.0",
    purl: "pkg:npm/%40a/b@1.0.0",
    hashes: [{ alg: "SHA-512", content: "ff00" }],
    licenses: [{ expression: "(MIT OR ISC)" }],
  });
  assertEquals("licenses" in components[2]!, false);
  assertEquals(dependencies.map(({ dependsOn }) => dependsOn), [
    ["pkg:generic/deno@2.9.6", "pkg:npm/%40a/b@1.0.0"],
    [],
    ["pkg:npm/c@2.0.0", "pkg:npm/d@3.0.0"],
    [],
    [],
  ]);
  const unlocked = [{ name: "e", version: "1.0.0", root: "" }];
  assertThrows(() => sbom({ ...ABOUT, packages: unlocked }, lock, license));
});
