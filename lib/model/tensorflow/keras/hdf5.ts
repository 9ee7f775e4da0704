/**
 * HDF5 from strangers, through h5wasm (the one file that imports it). Reading is one synchronous visit, so that no two
 * files are ever open side by side: links and external storage find nothing but the file itself.
 *
 * What is read is bounded by the file's size, because Keras writes variables uncompressed: a dataset that declares more
 * bytes than the file has is refused before a byte of it is allocated.
 */
import { type Dataset, File, Group, ready } from "h5wasm";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { elementCount, type Tensor } from "../../graph.ts";
import { isHdf5 } from "./signature.ts";

export interface Hdf5Visit {
  /** Names of the members of a group; empty when there is no such group. */
  members(path: string): readonly string[];
  has(path: string): boolean;
  /** A text attribute, or a list of texts; undefined when there is none. */
  texts(path: string, attribute: string): readonly string[] | undefined;
  /** A numeric dataset. Throws when there is none. */
  tensor(path: string): Tensor;
}

const PATH = "/model.h5";

/** Throws FluxError `model_unreadable` or `model_too_large`; what `visit` throws passes through. */
export async function visitHdf5<Result>(bytes: Uint8Array, visit: (file: Hdf5Visit) => Result): Promise<Result> {
  if (!isHdf5(bytes)) throw damaged("it does not start like an HDF5 file");
  const { FS } = await ready;
  if (!FS) throw new Error("h5wasm has no file system");
  FS.writeFile(PATH, bytes);
  let file: File | undefined;
  try {
    file = new File(PATH, "r");
    return visit(new Visit(file, bytes.length));
  } catch (error) {
    if (error instanceof FluxError) throw error;
    // What the library throws names its own functions, not the file's parts.
    throw damaged("a group or variable in it is damaged or declares what it does not hold", error);
  } finally {
    file?.close();
    FS.unlink(PATH);
  }
}

class Visit implements Hdf5Visit {
  readonly #file: File;
  readonly #fileBytes: number;
  #readBytes = 0;

  constructor(file: File, fileBytes: number) {
    this.#file = file;
    this.#fileBytes = fileBytes;
  }

  members(path: string): readonly string[] {
    const group = this.#group(path);
    const names = group ? group.keys() : [];
    if (names.length > MODEL_LIMITS.kerasLayers * 4) throw tooLarge(`"${path}" has ${names.length} members`);
    return names;
  }

  has(path: string): boolean {
    return this.#file.get(path) !== null;
  }

  texts(path: string, attribute: string): readonly string[] | undefined {
    const value: unknown = this.#group(path)?.attrs[attribute]?.value;
    if (value === undefined || value === null) return undefined;
    const list = Array.isArray(value) ? value : [value];
    return list.map((entry: unknown) => {
      if (typeof entry === "string") return entry;
      throw damaged(`the attribute "${attribute}" of "${path}" is not text`);
    });
  }

  tensor(path: string): Tensor {
    const dataset = this.#file.get(path);
    if (!isDataset(dataset)) throw damaged(`it has no dataset "${path}"`);
    const { shape, size } = dataset.metadata;
    if (!shape || shape.length > MODEL_LIMITS.tensorRank) throw damaged(`"${path}" is not a plain array`);
    const bytes = elementCount(shape) * size;
    this.#readBytes += bytes;
    if (!Number.isSafeInteger(bytes) || this.#readBytes > this.#fileBytes) {
      throw tooLarge(
        `"${path}" declares [${shape.join(", ")}] values, more than the file holds (compressed variables are not read)`,
      );
    }
    if (dataset.filters.length > 0) throw damaged(`"${path}" is compressed. Save the model without compression`);
    const value: unknown = dataset.value;
    const data =
      value instanceof Float32Array || value instanceof Float64Array ? value.slice() : numbersOf(value, path);
    if (data.length !== elementCount(shape)) throw damaged(`"${path}" holds ${data.length} values`);
    return { shape: [...shape], data };
  }

  #group(path: string): Group | undefined {
    const entity = path === "" ? this.#file : this.#file.get(path);
    return entity instanceof Group ? entity : undefined;
  }
}

function isDataset(entity: unknown): entity is Dataset {
  return typeof entity === "object" && entity !== null && "type" in entity && entity.type === "Dataset";
}

/** Integers, and the single number that a dataset without axes gives. */
function numbersOf(value: unknown, path: string): Float64Array {
  if (typeof value === "number" || typeof value === "bigint") return Float64Array.of(Number(value));
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Float64Array.from(value as unknown as ArrayLike<number | bigint>, Number);
  }
  throw damaged(`"${path}" does not hold numbers`);
}

function damaged(why: string, cause?: unknown): FluxError {
  return new FluxError("model_unreadable", `The HDF5 file cannot be read: ${why}. Save the model again.`, { cause });
}

function tooLarge(why: string): FluxError {
  return new FluxError("model_too_large", `The HDF5 file is not read: ${why}.`);
}
