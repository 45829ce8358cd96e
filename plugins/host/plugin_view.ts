import type { BrokerView } from "../../core/plugin/mod.ts";
import { outsideOfScopes, type Scope } from "./scope.ts";

/**
 * The broker's view for one plugin. What the broker does when it is asked is its own doing, also
 * what it goes on with later; what the plugin listens with is the plugin's.
 */
export function viewFor(scope: Scope, view: BrokerView): BrokerView {
  return {
    ...view,
    partitions: (topic, from, to) => outsideOfScopes(() => view.partitions(topic, from, to)),
    lag: (groupId, loadsMax) => outsideOfScopes(() => view.lag(groupId, loadsMax)),
    drain: (timeoutMs) => outsideOfScopes(() => view.drain(timeoutMs)),
    flush: () => outsideOfScopes(() => view.flush()),
    giveAway: (partitions, timeoutMs) =>
      outsideOfScopes(() => view.giveAway(partitions, timeoutMs)),
    onLoopDelay: (listener) => view.onLoopDelay(inScope(scope, listener)),
    onLeaders: (listener) => view.onLeaders(inScope(scope, listener)),
  };
}

function inScope<A extends unknown[]>(scope: Scope, listener: (...args: A) => void) {
  return (...args: A) => {
    try {
      scope.enter(() => listener(...args));
    } catch (error) {
      scope.onFault(error);
    }
  };
}
