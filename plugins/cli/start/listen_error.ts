import { CliError } from "../command.ts";

/** What the system says about an address it cannot listen on, with what to do about it. */
export function listenError(error: unknown, address: string): unknown {
  const choose = "choose another address with KAFSCALE_BROKER_ADDR";
  if (error instanceof Deno.errors.AddrInUse) {
    return new CliError(`${address} is in use by another program; stop that one, or ${choose}`);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new CliError(`${address} is no address of this machine; ${choose}`);
  }
  return error;
}
