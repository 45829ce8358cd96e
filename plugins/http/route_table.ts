import type { HttpRoute } from "../../core/plugin/mod.ts";

/** Routes of one owner, while it serves; then they tell that it will be back. */
export interface Mounted {
  readonly owner: string;
  readonly route: HttpRoute;
  /** Runs the route's handler, with whatever its owner wants around it. */
  readonly call: ((run: () => Promise<Response> | Response) => Promise<Response>) | undefined;
}

export interface Match {
  readonly mounted: Mounted;
  readonly path: Readonly<Record<string, string>>;
}

/** Which route answers a request: methods and path patterns with `{name}` segments. */
export class RouteTable {
  #routes: (Mounted & { readonly segments: readonly string[] })[] = [];

  add(mounted: Mounted): void {
    const { method, path } = mounted.route;
    const segments = path.split("/");
    const rival = this.#routes.find((other) =>
      other.route.method === method && sameShape(other.segments, segments)
    );
    if (rival !== undefined && rival.owner !== mounted.owner) {
      throw new Error(`${method} ${path} is served by the plugin ${rival.owner} already`);
    }
    this.#routes = this.#routes.filter((other) => other !== rival);
    this.#routes.push({ ...mounted, segments });
  }

  remove(owner: string): void {
    this.#routes = this.#routes.filter((mounted) => mounted.owner !== owner);
  }

  /** Keeps the owner's routes, with nobody behind them. */
  retire(owner: string): void {
    this.#routes = this.#routes.map((mounted) =>
      mounted.owner === owner ? { ...mounted, call: undefined } : mounted
    );
  }

  /**
   * The route of `method` and `pathname`; else the methods that the path has, none where it has no
   * route. Throws URIError where a segment is no valid escape.
   */
  find(method: string, pathname: string): Match | readonly string[] {
    const parts = pathname.split("/");
    const methods: string[] = [];
    let found: Match | undefined;
    for (const mounted of this.#routes) {
      const path = matched(mounted.segments, parts);
      if (path === undefined) continue;
      methods.push(mounted.route.method);
      // a literal segment wins over one in braces
      const better = found === undefined ||
        Object.keys(path).length < Object.keys(found.path).length;
      if (mounted.route.method === method && better) found = { mounted, path };
    }
    return found ?? methods;
  }
}

function isVariable(segment: string): boolean {
  return segment.startsWith("{") && segment.endsWith("}");
}

function sameShape(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length &&
    a.every((segment, at) => segment === b[at] || (isVariable(segment) && isVariable(b[at]!)));
}

function matched(
  segments: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  if (segments.length !== parts.length) return undefined;
  const path: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const part = parts[at]!;
    if (!isVariable(segment)) {
      if (segment !== part) return undefined;
    } else if (part === "") return undefined;
    else path[segment.slice(1, -1)] = decodeURIComponent(part);
  }
  return path;
}
