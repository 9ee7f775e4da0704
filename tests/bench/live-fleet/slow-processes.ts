/**
 * Makes processes slower by a factor, as a child of the benchmark: they run for some milliseconds and then stand still for
 * (factor − 1) times as long as they really ran. `node slow-processes.ts FACTOR PID…`; it ends with its standard input,
 * and lets them run again.
 *
 * Why not DevTools' `Emulation.setCPUThrottlingRate`: it slows a page's main thread and nothing else. Tried on Chromium: with
 * rate 6 the same loop took 5.7 times as long on the page and as long as before in a worker; a worker's own target answers
 * "Operation is only supported for pages, not workers". Donors compute in workers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

/** Short against any microtask, long against a timer's error. */
const RUN_MS = 4;

const [factor = 1, ...pids] = z.array(z.coerce.number().positive()).parse(process.argv.slice(2));
let going = true;

function signal(name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
  }
}

process.stdin.resume();
process.stdin.on("end", () => {
  going = false;
});
process.on("exit", () => signal("SIGCONT"));

while (going) {
  const ranFromMs = performance.now();
  await sleep(RUN_MS);
  signal("SIGSTOP");
  await sleep((factor - 1) * (performance.now() - ranFromMs));
  signal("SIGCONT");
}
process.exit(0);
