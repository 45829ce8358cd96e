/** Where a broker serves metrics and operations, as it logged at its newest start. */
export function metricsPortIn(log: readonly string[]): number {
  const line = log.findLast((each) => each.includes('"msg":"http listening on '));
  const port = /"http listening on \S+:(\d+)"/.exec(line ?? "")?.[1];
  if (port === undefined) throw new Error("the broker serves no HTTP");
  return Number(port);
}
