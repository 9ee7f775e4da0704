/** Looks for byte patterns in a folder's files and in the memory of a process (Linux: /proc/PID/mem). */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

export type Patterns = Readonly<Record<string, Uint8Array>>;

const CHUNK_BYTES = 16 * 1024 * 1024;

/** Names of the patterns that some file below the folder holds. */
export function scanFolder(folder: string, patterns: Patterns): string[] {
  const found = new Set<string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // A file may go while the folder is read.
    const file = open(join(entry.parentPath, entry.name));
    if (file === undefined) continue;
    try {
      scan((buffer, at) => readSync(file, buffer, 0, buffer.length, at), 0, Number.POSITIVE_INFINITY, patterns, found);
    } finally {
      closeSync(file);
    }
  }
  return [...found].sort();
}

/** Names of the patterns that lie in some readable region of the process. */
export function scanMemory(pid: number, patterns: Patterns): { found: string[]; bytes: number } {
  const found = new Set<string>();
  let bytes = 0;
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
      const region = /^([0-9a-f]+)-([0-9a-f]+) r\S* \S+ \S+ \S+ *(.*)$/.exec(line);
      if (!region?.[1] || !region[2] || /\[v(var|syscall)/.test(region[3] ?? "")) continue;
      const [start, end] = [Number.parseInt(region[1], 16), Number.parseInt(region[2], 16)];
      bytes += scan((buffer, at) => readSync(memory, buffer, 0, buffer.length, at), start, end, patterns, found);
    }
  } finally {
    closeSync(memory);
  }
  return { found: [...found].sort(), bytes };
}

/** In chunks that overlap by the longest pattern. @returns bytes looked at */
function scan(
  read: (buffer: Buffer, at: number) => number,
  start: number,
  end: number,
  patterns: Patterns,
  found: Set<string>,
): number {
  const longest = Math.max(...Object.values(patterns).map(({ length }) => length));
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let looked = 0;
  for (let at = start; at < end; at += CHUNK_BYTES - longest) {
    const length = Math.min(CHUNK_BYTES, end - at);
    let got: number;
    try {
      got = read(buffer.subarray(0, length), at);
    } catch {
      // A region that was unmapped meanwhile.
      return looked;
    }
    const bytes = buffer.subarray(0, got);
    for (const [name, pattern] of Object.entries(patterns)) if (bytes.includes(Buffer.from(pattern))) found.add(name);
    looked += got;
    if (got < CHUNK_BYTES) return looked;
  }
  return looked;
}

function open(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}
