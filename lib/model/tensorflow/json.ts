/** JSON from strangers: bounded in size and depth, and never with keys that reach into prototypes. */
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";

/** `what` names the file in errors, e.g. "model.json". Throws `model_unreadable` or `model_too_large`. */
export function parseModelJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > MODEL_LIMITS.jsonBytes) {
    throw new FluxError(
      "model_too_large",
      `${what} has ${bytes.length} bytes; the limit is ${MODEL_LIMITS.jsonBytes}. Keep weights in binary files beside it.`,
    );
  }
  if (jsonDepth(bytes) > MODEL_LIMITS.jsonDepth) {
    throw new FluxError("model_too_large", `${what} nests deeper than ${MODEL_LIMITS.jsonDepth} levels.`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes), (key, value: unknown) => {
      if (key === "__proto__") throw new Error('it has a key "__proto__"');
      return value;
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : "unreadable";
    throw new FluxError("model_unreadable", `${what} is not valid JSON (${why}). Save the model again.`, {
      cause: error,
    });
  }
}

/** The deepest nesting of brackets outside of strings. */
function jsonDepth(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}
