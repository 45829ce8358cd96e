/**
 * What is in a binary, as a CycloneDX 1.6 document: the runtime, and the npm packages of which the
 * bundle holds something, with the hashes of deno.lock and the licenses that they declare.
 */
import { Buffer } from "node:buffer";
import { idOf, type NpmPackage } from "./npm_file.ts";

/** The parts of deno.lock (version 5) that are read here. */
export interface Lock {
  /** By `NAME@VERSION`, for some followed by `_` and the peers that they were resolved with. */
  readonly npm: Readonly<Record<string, LockedPackage>>;
  readonly workspace: { readonly dependencies: readonly string[] };
}

interface LockedPackage {
  /** `sha512-` and base64. */
  readonly integrity: string;
  /** `NAME`, or an `npm` key where the name alone is ambiguous. */
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

export interface Contents {
  readonly version: string;
  readonly commit: string;
  /** When the commit was made, ISO 8601. */
  readonly builtFrom: string;
  readonly runtime: { readonly deno: string; readonly v8: string };
  readonly packages: readonly NpmPackage[];
}

type License = { readonly license: { readonly id: string } } | { readonly expression: string };

/** The document; `licenseOf` tells what a package declares. */
export function sbom(
  contents: Contents,
  lock: Lock,
  licenseOf: (each: NpmPackage) => string | undefined,
) {
  const { version, commit, builtFrom, runtime, packages } = contents;
  const root = `pkg:generic/kafscale@${version}`;
  const platform = `pkg:generic/deno@${runtime.deno}`;
  const inside = new Map(packages.map((each) => [idOf(each), purl(each)]));
  const locked = new Map(
    Object.entries(lock.npm).map(([key, value]) => [withoutPeers(key), value]),
  );
  const direct = lock.workspace.dependencies.map((each) => each.replace(/^npm:/, ""));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: builtFrom,
      component: {
        type: "application",
        "bom-ref": root,
        name: "kafscale",
        version,
        purl: root,
        licenses: licenses("Apache-2.0"),
        properties: [{ name: "kafscale:commit", value: commit }],
      },
    },
    components: [
      {
        type: "platform",
        "bom-ref": platform,
        name: "deno",
        version: runtime.deno,
        purl: platform,
        licenses: licenses("MIT"),
        properties: [{ name: "deno:v8", value: runtime.v8 }],
      },
      ...packages.map((each) => component(each, locked, licenseOf(each))),
    ],
    dependencies: [
      { ref: root, dependsOn: [platform, ...direct.flatMap((id) => inside.get(id) ?? [])] },
      { ref: platform, dependsOn: [] },
      ...packages.map((each) => ({
        ref: purl(each),
        dependsOn: dependencies(locked.get(idOf(each)), locked, inside),
      })),
    ],
  };
}

function component(
  each: NpmPackage,
  locked: ReadonlyMap<string, LockedPackage>,
  license: string | undefined,
) {
  const found = locked.get(idOf(each));
  if (found === undefined) throw new Error(`${idOf(each)} is in the bundle, and not in deno.lock`);
  const [, group, name] = /^(?:(@[^/]+)\/)?(.+)$/.exec(each.name)!;
  return {
    type: "library",
    "bom-ref": purl(each),
    ...(group === undefined ? {} : { group }),
    name: name!,
    version: each.version,
    purl: purl(each),
    hashes: [{ alg: "SHA-512", content: hexOf(found.integrity) }],
    ...(license === undefined ? {} : { licenses: licenses(license) }),
  };
}

function dependencies(
  found: LockedPackage | undefined,
  locked: ReadonlyMap<string, LockedPackage>,
  inside: ReadonlyMap<string, string>,
): string[] {
  const names = [...found?.dependencies ?? [], ...found?.optionalDependencies ?? []];
  const ids = names.map((name) => {
    const id = withoutPeers(name);
    return locked.has(id) ? id : [...locked.keys()].find((key) => key.startsWith(`${name}@`));
  });
  // some of a package's dependencies are not reached, and not in the bundle
  return ids.flatMap((id) => inside.get(id ?? "") ?? []);
}

/** `ajv-draft-04@1.0.0_ajv@8.20.0` is `ajv-draft-04@1.0.0`. */
function withoutPeers(key: string): string {
  return /^@?[^@]+@[^_]+/.exec(key)?.[0] ?? key;
}

/** https://github.com/package-url/purl-spec: the scope's @ is escaped. */
function purl({ name, version }: NpmPackage): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function hexOf(integrity: string): string {
  const [algorithm, base64] = integrity.split(/-(.*)/s);
  if (algorithm !== "sha512") throw new Error(`deno.lock has a hash of another kind: ${integrity}`);
  return Buffer.from(base64!, "base64").toString("hex");
}

function licenses(declared: string): License[] {
  const simple = /^[\w.+-]+$/.test(declared);
  return [simple ? { license: { id: declared } } : { expression: declared }];
}
