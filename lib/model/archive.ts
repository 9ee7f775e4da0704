/** Zip archives of model files, unpacked in memory: bounded in entries, bytes and ratio; names are keys, never paths. */
import { Unzip, type UnzipFile, UnzipInflate } from "fflate";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";

/** The files of one model by name, as uploaded or as unpacked. */
export type ModelFiles = ReadonlyMap<string, Uint8Array>;

/** Compressed bytes fed at a time: one step makes at most 1032 times as many. */
const STEP_BYTES = 16 * 1024;
/** Small files may be highly compressible without harm. */
const RATIO_FREE_BYTES = 1024 * 1024;

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/** Throws FluxError `model_unreadable` (damaged) or `model_too_large` (bombs, too many entries). */
export function unpackModelFiles(archive: Uint8Array): ModelFiles {
  const files = new Map<string, Uint8Array>();
  const open = new Set<string>();
  let total = 0;
  const unzip = new Unzip((entry) => {
    if (entry.name.endsWith("/")) return;
    checkName(entry.name);
    if (files.size + open.size >= MODEL_LIMITS.files) {
      throw tooLarge(`it has more than ${MODEL_LIMITS.files} entries`);
    }
    if (files.has(entry.name) || open.has(entry.name)) throw damaged(`it names "${entry.name}" twice`);
    open.add(entry.name);
    collect(
      entry,
      (bytes) => {
        total += bytes;
        if (total > MODEL_LIMITS.modelBytes) throw tooLarge(`it unpacks to more than ${MODEL_LIMITS.modelBytes} bytes`);
        if (total > RATIO_FREE_BYTES && total > archive.length * MODEL_LIMITS.zipRatio) {
          throw tooLarge(`it unpacks to more than ${MODEL_LIMITS.zipRatio} times its size`);
        }
      },
      (content) => {
        open.delete(entry.name);
        files.set(entry.name, content);
      },
    );
  });
  unzip.register(UnzipInflate);
  try {
    for (let offset = 0; offset < archive.length; offset += STEP_BYTES) {
      unzip.push(archive.subarray(offset, offset + STEP_BYTES), offset + STEP_BYTES >= archive.length);
    }
  } catch (error) {
    if (error instanceof FluxError) throw error;
    throw damaged(error instanceof Error ? error.message : "it does not unpack", error);
  }
  const [unfinished] = open;
  if (unfinished !== undefined) throw damaged(`"${unfinished}" is cut short`);
  if (files.size === 0) throw damaged("it is empty");
  return files;
}

function collect(entry: UnzipFile, count: (bytes: number) => void, done: (content: Uint8Array) => void): void {
  const chunks: Uint8Array[] = [];
  entry.ondata = (error, chunk, final) => {
    if (error) throw error;
    count(chunk.length);
    chunks.push(chunk);
    if (final) done(join(chunks));
  };
  entry.start();
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}

/** Names are only compared, but an archive that tries to climb out of its folder is not an honest model. */
function checkName(name: string): void {
  const climbs = name.startsWith("/") || name.includes("\\") || name.includes("\0") || name.split("/").includes("..");
  if (climbs || name.length > MODEL_LIMITS.nameChars) {
    throw damaged(`it has an entry named "${name.slice(0, 80)}", which no model needs`);
  }
}

function damaged(why: string, cause?: unknown): FluxError {
  return new FluxError(
    "model_unreadable",
    `The archive cannot be read: ${why}. Pack the model's files again as a plain zip.`,
    {
      cause,
    },
  );
}

function tooLarge(why: string): FluxError {
  return new FluxError("model_too_large", `The archive is not unpacked: ${why}. Upload only the model's own files.`);
}
