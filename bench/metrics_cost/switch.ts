/**
 * Turns off and on what is measured on the way of a request: what core's meter of an API does, and
 * every histogram. The switch is asked in both states, so that both run the same machine code. What
 * is left on are additions to plain numbers beside the work that they count, some nanoseconds.
 */
import { Histogram } from "../../core/runtime/histogram.ts";
import { ApiMeter } from "../../core/server/api_stats.ts";

export const measuring = { on: true };

/** Once, before the broker is made. */
export function installSwitch(): void {
  const meter = ApiMeter.prototype;
  const { began, ended, answered } = meter;
  meter.began = function (frameBytes) {
    if (measuring.on) began.call(this, frameBytes);
  };
  meter.ended = function (response, startedMs, nowMs) {
    if (measuring.on) ended.call(this, response, startedMs, nowMs);
  };
  meter.answered = function (responseBytes) {
    if (measuring.on) answered.call(this, responseBytes);
  };
  const { observe } = Histogram.prototype;
  Histogram.prototype.observe = function (value) {
    if (measuring.on) observe.call(this, value);
  };
}
