/** `host:port` as Kafka's tools show a member's host: `/host`. */
export function clientHost(remoteAddress: string): string {
  const colon = remoteAddress.lastIndexOf(":");
  return "/" + (colon < 0 ? remoteAddress : remoteAddress.slice(0, colon));
}
