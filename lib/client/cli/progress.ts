/** One line of progress on a terminal, rewritten in place; a line now and then where the output is a file. */
import type { JobResource } from "#lib/protocol/api/jobs.ts";

export interface ProgressLine {
  readonly show: (line: string) => void;
  /** Ends the line, so that what follows stands on its own. */
  readonly end: () => void;
}

const BAR_CELLS = 24;
/** Eighths of a cell. */
const PARTS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const PLAIN_EVERY_MS = 5_000;

export function progressLine(stream: NodeJS.WriteStream, now: () => number = Date.now): ProgressLine {
  if (!stream.isTTY) {
    let last = "";
    let lastMs = Number.NEGATIVE_INFINITY;
    return {
      show(line) {
        if (line === last || now() - lastMs < PLAIN_EVERY_MS) return;
        last = line;
        lastMs = now();
        stream.write(`${line}\n`);
      },
      end: () => {},
    };
  }
  let open = false;
  return {
    show(line) {
      open = true;
      stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
    },
    end() {
      if (open) stream.write("\n");
      open = false;
    },
  };
}

const TICK_MS = 1_000;

/** Says what is waited for, and for how long by now, until it is there. */
export async function whileWaiting<Result>(line: ProgressLine, words: string, work: Promise<Result>): Promise<Result> {
  const startedMs = performance.now();
  line.show(words);
  const timer = setInterval(() => {
    line.show(`${words} ${Math.round((performance.now() - startedMs) / 1_000)} s`);
  }, TICK_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    line.end();
  }
}

export function jobLine(job: JobResource): string {
  const { counts } = job;
  if (job.status !== "running") return `${bar(shareOf(job))} ${job.status}: ${job.why}`;
  const unit = job.privacy === "encrypted" ? "lanes" : "records";
  const rate = job.units_per_second === null ? "" : ` · ${round(job.units_per_second)} ${unit}/s`;
  const left = job.eta_seconds === null ? "" : ` · ${round(job.eta_seconds)} s left`;
  const percent = String(Math.floor(100 * shareOf(job))).padStart(3);
  return `${bar(shareOf(job))} ${percent} % · ${counts.units_accepted}/${counts.units} ${unit}${rate}${left} · ${job.why}`;
}

export function shareOf({ counts }: Pick<JobResource, "counts">): number {
  return counts.units === 0 ? 0 : counts.units_accepted / counts.units;
}

export function bar(share: number, cells = BAR_CELLS): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * cells * 8);
  const filled = "█".repeat(Math.floor(eighths / 8)) + (PARTS[eighths % 8] ?? "");
  return `│${filled.padEnd(cells)}│`;
}

function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(2);
}
