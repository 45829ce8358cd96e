/** Jobs beside each other, as many as the processors carry: much of what tests take is waiting. */

export interface Job {
  readonly name: string;
  /** How long it takes, about; long ones are started first. */
  readonly seconds: number;
  /** How many processors it keeps busy, about. */
  readonly cores: number;
}

/** Which of `waiting`, sorted by length, is next; -1: none before another one has ended. */
export function nextJob(waiting: readonly Job[], freeCores: number, alone: boolean): number {
  // a job that wants more than there is runs alone
  return alone
    ? Math.min(0, waiting.length - 1)
    : waiting.findIndex((job) => job.cores <= freeCores);
}

/** Runs each job once; resolves when all have ended. The first error, if any, is thrown then. */
export async function inLanes<J extends Job>(
  jobs: readonly J[],
  cores: number,
  run: (job: J) => Promise<void>,
): Promise<void> {
  const waiting = jobs.toSorted((a, b) => b.seconds - a.seconds);
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  let free = cores;
  const start = (job: J) => {
    free -= job.cores;
    const ended: Promise<void> = run(job).catch((error) => void errors.push(error)).then(() => {
      free += job.cores;
      running.delete(ended);
    });
    running.add(ended);
  };
  while (waiting.length > 0 || running.size > 0) {
    const at = nextJob(waiting, free, running.size === 0);
    if (at >= 0) start(waiting.splice(at, 1)[0]!);
    else await Promise.race(running);
  }
  if (errors.length > 0) throw errors[0];
}
