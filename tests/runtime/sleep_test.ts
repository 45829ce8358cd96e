import { assert, assertEquals } from "@std/assert";
import { sleep } from "../../core/runtime/sleep.ts";
import { VirtualTimers } from "./virtual_timers.ts";

function watch(promise: Promise<void>): { done: boolean } {
  const state = { done: false };
  promise.then(() => state.done = true);
  return state;
}

Deno.test("sleep() resolves after the delay and not before", async () => {
  const timers = new VirtualTimers();
  const state = watch(sleep(timers, 100));
  await timers.advance(99);
  assert(!state.done);
  await timers.advance(1);
  assert(state.done);
});

Deno.test("sleep() ends at an abort and leaves no timer", async () => {
  const timers = new VirtualTimers();
  const controller = new AbortController();
  const state = watch(sleep(timers, 1_000_000, controller.signal));
  controller.abort();
  await timers.advance(0);
  assert(state.done);
  assertEquals(timers.pending, 0);
});

Deno.test("sleep() with an aborted signal sets no timer", async () => {
  const timers = new VirtualTimers();
  await sleep(timers, 1000, AbortSignal.abort());
  assertEquals(timers.pending, 0);
});

Deno.test("sleep() takes its listener off a signal that outlives it", async () => {
  const timers = new VirtualTimers();
  let listeners = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, run: EventListener) => (listeners++, add(type, run));
  signal.removeEventListener = (
    type: string,
    run: EventListener,
  ) => (listeners--, remove(type, run));
  const state = watch(sleep(timers, 10, signal));
  assertEquals(listeners, 1);
  await timers.advance(10);
  assert(state.done);
  assertEquals(listeners, 0);
});
