import { parseListenAddress } from "../../core/config/mod.ts";
import type { HttpRoute } from "../../core/plugin/mod.ts";
import type { Log } from "../../core/runtime/mod.ts";
import { HttpServer, type HttpServerOptions } from "../http/mod.ts";

type Call = Parameters<HttpServer["mount"]>[2];

/** The HTTP servers of one broker's plugins, by the address that they were asked for with. */
export class HttpServers {
  readonly #servers = new Map<string, HttpServer>();

  constructor(readonly log: Log) {}

  /** The server of `address`, opened if need be. Throws a sentence where it cannot be. */
  open(address: string, otherwise?: HttpServerOptions["otherwise"]): HttpServer {
    const present = this.#servers.get(address);
    if (present !== undefined) return present;
    const parsed = parseListenAddress(address);
    if (parsed === undefined) throw new Error(`${address} is no address to listen on`);
    const options = { ...parsed, log: this.log, ...(otherwise === undefined ? {} : { otherwise }) };
    const server = new HttpServer(options);
    this.#servers.set(address, server);
    return server;
  }

  serve(
    owner: string,
    address: string,
    routes: readonly HttpRoute[],
    call: Call,
  ): { host: string; port: number } {
    const server = this.open(address);
    server.mount(owner, routes, call);
    return { host: server.host, port: server.port };
  }

  /** Takes the owner's routes away on every server. */
  unserve(owner: string, comesBack: boolean): void {
    for (const server of this.#servers.values()) server.unmount(owner, comesBack);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#servers.values(), (server) => server.close()));
    this.#servers.clear();
  }
}
