/** Timing on a machine that does other things too: several runs, the median of the wall clock and of this process's CPU time. */

export interface Timing {
  readonly wallMs: number;
  /** User + system time of this process. On a busy machine the wall clock counts what others do; this does not. */
  readonly cpuMs: number;
}

/** Runs `work` once to warm up, then `runs` times. */
export async function measure(runs: number, work: () => unknown): Promise<Timing> {
  await work();
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let run = 0; run < runs; run++) {
    const usage = process.cpuUsage();
    const started = performance.now();
    await work();
    wall.push(performance.now() - started);
    const { user, system } = process.cpuUsage(usage);
    cpu.push((user + system) / 1000);
  }
  return { wallMs: median(wall), cpuMs: median(cpu) };
}

/**
 * The least wall time of many short runs: what the work takes when nothing interrupts it. For runs of a few milliseconds, which
 * fit between two interruptions even on a busy machine.
 */
export async function measureLeast(runs: number, work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await work();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** Rows of text in aligned columns; the first row is the heading. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  console.log(`\n${title}`);
  for (const row of rows) {
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`,
    );
  }
}
