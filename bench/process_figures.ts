/** What a process has used so far, from /proc; so these benches run on Linux only. */

/** USER_HZ: a kernel constant for user space, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

/** User and system time of all threads, in seconds (to 10 ms). */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The command's name is in parentheses and may hold spaces; the fields after it are counted.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface Memory {
  readonly residentBytes: number;
  /** The highest since the start or since `resetPeak`. */
  readonly residentPeakBytes: number;
}

export function memory(pid: number): Memory {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? NaN) * 1024;
  return { residentBytes: field("VmRSS"), residentPeakBytes: field("VmHWM") };
}

/** Starts the peak anew; false where the kernel forbids it (the peak is then of all phases). */
export function resetPeak(pid: number): boolean {
  try {
    Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
    return true;
  } catch {
    return false;
  }
}
