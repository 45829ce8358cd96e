/** What strikes a cluster beside what strikes one broker. */
import type { Brokers } from "./brokers.ts";
import type { ClusterWeather } from "./cluster_plan.ts";
import type { EventLoop } from "./event_loop.ts";
import type { Prng } from "./prng.ts";

export interface ClusterChaos {
  readonly brokers: Brokers;
  readonly weather: ClusterWeather;
  readonly loop: EventLoop;
  readonly prng: Prng;
  readonly note: (who: string, text: string) => void;
  /** Runs again and again, some while apart, while the chaos lasts. */
  readonly repeat: (everyMs: number, run: () => void) => void;
  readonly failed: (error: unknown) => void;
}

export function scheduleClusterChaos(o: ClusterChaos): void {
  const { brokers, weather, prng, repeat, note, failed } = o;
  const { leaseMs } = weather;
  const move = () => {
    note("operator", "wants a leader to move");
    brokers.prefer("move").catch(failed);
  };
  repeat(weather.longPauseEveryMs, () => {
    const forMs = prng.range(leaseMs * 0.5, leaseMs * 3);
    const host = brokers.any();
    note(`broker-${host.o.brokerId}`, `sleeps for ${forMs.toFixed(1)} ms`);
    host.pause(forMs);
  });
  repeat(weather.leaseStormEveryMs, () => {
    note("metadata", "ends the leases of all brokers");
    for (const host of brokers.hosts) host.loseLease();
  });
  repeat(weather.moveEveryMs, move);
  repeat(weather.controllerLossEveryMs, () => {
    move();
    o.loop.after(prng.range(0, 60), () => {
      const controller = brokers.controller();
      if (controller === undefined) return;
      note(`broker-${controller.o.brokerId}`, "is lost as the controller");
      if (prng.chance(0.5)) controller.process?.kill();
      else controller.pause(prng.range(leaseMs, leaseMs * 2));
    });
  });
  repeat(weather.clientCutEveryMs, () => {
    const forMs = prng.range(50, 2_000);
    const host = brokers.any();
    note(`broker-${host.o.brokerId}`, `cannot be reached by clients for ${forMs.toFixed(1)} ms`);
    host.cutClients(forMs);
  });
  repeat(weather.restoreEveryMs ?? Infinity, () => void brokers.backUpOrRestore().catch(failed));
  repeat(weather.longMetadataCutEveryMs, () => {
    brokers.any().cutMetadata(prng.range(leaseMs * 0.5, leaseMs * 3));
  });
}
