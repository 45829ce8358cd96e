/** An npm package in Deno's cache. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** Its folder on this machine. */
  readonly root: string;
}

/** A file of one. */
export interface NpmFile {
  readonly package: NpmPackage;
  /** `npm/NAME/VERSION/FILE`: the same on every machine. */
  readonly path: string;
}

/** Whose file `path` is: `CACHE/REGISTRY…/NAME/VERSION/FILE`; undefined outside of the cache. */
export function npmFile(path: string, cache: string): NpmFile | undefined {
  if (!path.startsWith(`${cache}/`)) return undefined;
  // copies of a package for other peers end in _1, _2, …
  const parts = /^(.+?)\/((?:@[^/]+\/)?[^/@]+)\/(\d[^/_]*)(_\d+)?\/(.+)$/;
  const match = parts.exec(path.slice(cache.length + 1));
  if (match === null) throw new Error(`cannot tell which npm package ${path} belongs to`);
  const [, registry, name, version, copy = "", file] = match;
  const root = `${cache}/${registry}/${name}/${version}${copy}`;
  return {
    package: { name: name!, version: version!, root },
    path: `npm/${name}/${version}/${file}`,
  };
}

/** `NAME@VERSION`. */
export function idOf({ name, version }: NpmPackage): string {
  return `${name}@${version}`;
}
