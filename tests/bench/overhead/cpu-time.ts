/** CPU time of a process and all its descendants, thread by thread, from Linux' /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel counts in ticks of 10 ms (USER_HZ). */
const TICK_MS = 10;

/** CPU milliseconds by `process kind/thread name`; their sum is the browser's. */
export type CpuByThread = ReadonlyMap<string, number>;

export function cpuByThread(rootPid: number): CpuByThread {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statFields(`/proc/${name}/stat`);
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === rootPid || isOurs(parents.get(pid)));
  const spent = new Map<string, number>();
  for (const pid of parents.keys()) {
    if (!isOurs(pid)) continue;
    const kind = kindOf(pid);
    let listed = 0;
    const named = new Map<string, number>();
    for (const thread of list(`/proc/${pid}/task`)) {
      const fields = statFields(`/proc/${pid}/task/${thread}/stat`);
      if (!fields) continue;
      const ms = TICK_MS * (Number(fields[11]) + Number(fields[12]));
      listed += ms;
      // Workers share a name: they are told apart by their order. Pools are one.
      const comm = text(`/proc/${pid}/task/${thread}/comm`).trim();
      const nth = (named.get(comm) ?? 0) + 1;
      named.set(comm, nth);
      const name = `${kind}/${comm}${comm.startsWith("Dedicated") ? ` ${nth}` : ""}`;
      spent.set(name, (spent.get(name) ?? 0) + ms);
    }
    // Threads that ended are only in the process's own count.
    const whole = statFields(`/proc/${pid}/stat`);
    const endedMs = whole ? TICK_MS * (Number(whole[11]) + Number(whole[12])) - listed : 0;
    if (endedMs > 0) spent.set(`${kind}/ended threads`, (spent.get(`${kind}/ended threads`) ?? 0) + endedMs);
  }
  return spent;
}

export function totalMs(spent: CpuByThread): number {
  return [...spent.values()].reduce((sum, ms) => sum + ms, 0);
}

/** What was spent between two readings, the largest first. */
export function spentBetween(before: CpuByThread, after: CpuByThread): [name: string, ms: number][] {
  return [...after]
    .map(([name, ms]): [string, number] => [name, ms - (before.get(name) ?? 0)])
    .filter(([, ms]) => ms > 0)
    .sort(([, a], [, b]) => b - a);
}

/** Chromium says in its arguments what a process is for. */
function kindOf(pid: number): string {
  const line = text(`/proc/${pid}/cmdline`);
  const sub = /--utility-sub-type=[\w.]*?(\w+)\0/.exec(line)?.[1];
  return sub ?? /--type=([\w-]+)/.exec(line)?.[1] ?? "browser";
}

function statFields(path: string): string[] | null {
  const stat = text(path);
  return stat ? stat.replace(/^.*\) /s, "").split(" ") : null;
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
