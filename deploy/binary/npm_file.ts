/** A file of an npm package in Deno's cache. */
export interface NpmFile {
  readonly name: string;
  readonly version: string;
  /** `name@version`. */
  readonly package: string;
  /** `npm/NAME/VERSION/FILE`: the same on every machine. */
  readonly path: string;
  /** The package's folder on this machine. */
  readonly root: string;
}

/** Whose file `path` is: `CACHE/REGISTRY…/NAME/VERSION/FILE`; undefined outside of the cache. */
export function npmFile(path: string, cache: string): NpmFile | undefined {
  if (!path.startsWith(`${cache}/`)) return undefined;
  // copies of a package for other peers end in _1, _2, …
  const parts = /^(.+?)\/((?:@[^/]+\/)?[^/@]+)\/(\d[^/_]*)(_\d+)?\/(.+)$/;
  const match = parts.exec(path.slice(cache.length + 1));
  if (match === null) throw new Error(`cannot tell which npm package ${path} belongs to`);
  const [, registry, name, version, copy, file] = match;
  return {
    name: name!,
    version: version!,
    package: `${name}@${version}`,
    path: `npm/${name}/${version}/${file}`,
    root: `${cache}/${registry}/${name}/${version}${copy ?? ""}`,
  };
}
