/** Recognises Keras files without loading what reads them: the HDF5 library is 4 MB of code that ONNX uploads never need. */
import type { ModelFiles } from "../../archive.ts";

const HDF5_SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export function isHdf5(bytes: Uint8Array): boolean {
  return HDF5_SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/** The parts of a `.keras` archive. */
export const KERAS_CONFIG = "config.json";
export const KERAS_WEIGHTS = "model.weights.h5";

export function isKerasArchive(files: ModelFiles): boolean {
  return files.has(KERAS_CONFIG) && files.has(KERAS_WEIGHTS);
}
