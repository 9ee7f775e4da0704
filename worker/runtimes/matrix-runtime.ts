/**
 * The port of an ML runtime as the lane engine uses it: exact products of bytes with a constant int8 matrix.
 *
 * Design: encrypted lanes as integer matrix products, after "Fast Homomorphic Linear Algebra with BLAS" (arXiv 2503.16080).
 */
export type MatrixRuntimeName = "ort-wasm" | "ort-webgpu" | "tfjs-wasm" | "tfjs-webgpu";

export interface MatrixRuntime {
  readonly name: MatrixRuntimeName;
  /**
   * Every sum of products that stays below this in magnitude, in any order of adding, is exact: 2^29 for int32 accumulators (four
   * limbs of them recombine exactly in a double), 2^24 for float32.
   */
  readonly exactBelow: number;
  /** Makes a product with `weights` `[k, m]` ready: a session or a tensor on the device. Dear; one per distinct matrix. */
  prepare(weights: Int8Array, k: number, m: number): Promise<MatrixProduct>;
}

export interface MatrixProduct {
  /** `bytes` `[rows, k]` × weights → `[rows, m]` integers. The result is valid until the next call. */
  multiply(bytes: Uint8Array, rows: number): Promise<Int32Array | Float32Array>;
  dispose(): Promise<void> | void;
}
