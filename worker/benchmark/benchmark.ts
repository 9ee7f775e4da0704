/**
 * What this machine can do, in about a second: matrix products on every runtime that works here, each checked against plain
 * arithmetic before it counts. The result goes to the coordinator and onto the visitor's card.
 */
import type { Capability, RuntimeBenchmark } from "#lib/protocol/donor.ts";
import type { RuntimeId } from "#lib/protocol/stage.ts";
import type { Environment } from "../environment.ts";
import { floatMatMulModel, integerMatMulModel, MATMUL } from "../runtimes/onnx-matmul.ts";
import { loadOrt, type Ort } from "../runtimes/ort.ts";
import { loadTfjs, type TfjsBackend } from "../runtimes/tfjs.ts";
import { laneMacsPerSecond } from "./lane-rate.ts";

export interface BenchmarkOptions {
  environment: Environment;
  threads: number;
  downloadBytesPerSecond: number;
}

/** `[m, k]` × `[k, n]`. */
interface GemmShape {
  m: number;
  k: number;
  n: number;
}

/** A layer of a usual small model: large enough to fill the SIMD units, small enough to stay in cache. */
const SHAPE: GemmShape = { m: 256, k: 256, n: 256 };
/** A GPU needs more work at once to show what it can. */
const GPU_SHAPE: GemmShape = { m: 1024, k: 512, n: 512 };
const MEASURE_MS = 150;
/** Fetching 14 MB of WASM included, over 2 Mbit/s: a runtime that is only slow to come must not count as broken for a week. */
const RUNTIME_LIMIT_MS = 60_000;
const FLOAT_TOLERANCE = 1e-4;
const MEMORY_BYTES = 512 * 1024 * 1024;

export async function benchmark({
  environment,
  threads,
  downloadBytesPerSecond,
}: BenchmarkOptions): Promise<Capability> {
  const gpu = environment.webGpu && (await hasAdapter());
  const runtimes: RuntimeBenchmark[] = [];
  for (const runtime of ["lane-simd", "ort-wasm", "ort-webgpu", "tfjs-wasm", "tfjs-webgpu"] as const) {
    if (!gpu && (runtime === "ort-webgpu" || runtime === "tfjs-webgpu")) continue;
    runtimes.push(await measured(runtime, threads));
  }
  return {
    runtimes,
    memoryBytes: Math.min(MEMORY_BYTES, (environment.deviceMemoryGiB ?? 4) * 2 ** 30 * 0.25),
    logicalCores: environment.logicalCores,
    crossOriginIsolated: environment.crossOriginIsolated,
    downloadBytesPerSecond,
    measuredAt: new Date().toISOString(),
  };
}

/** A runtime that cannot be loaded or is wrong once is listed as such, and not used. */
async function measured(runtime: RuntimeId, threads: number): Promise<RuntimeBenchmark> {
  const onGpu = runtime === "ort-webgpu" || runtime === "tfjs-webgpu";
  const entry = { runtime, threads: runtime === "ort-wasm" ? threads : 1 };
  try {
    if (runtime === "lane-simd") {
      const int8MacsPerSecond = await laneMacsPerSecond(MEASURE_MS);
      return { ...entry, selfTestPassed: true, int8MacsPerSecond, float32MacsPerSecond: 0 };
    }
    const backend = onGpu ? "webgpu" : "wasm";
    const rates = await withinLimit(runtime.startsWith("ort") ? measureOrt(backend, threads) : measureTfjs(backend));
    return { ...entry, selfTestPassed: rates.right, ...rates.macsPerSecond };
  } catch {
    return { ...entry, selfTestPassed: false, int8MacsPerSecond: 0, float32MacsPerSecond: 0 };
  }
}

/** A runtime that does not come up must not keep the others from working. */
async function withinLimit<Value>(measuring: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("The runtime did not answer")), RUNTIME_LIMIT_MS);
  try {
    return await Promise.race([measuring, promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface Rates {
  right: boolean;
  macsPerSecond: { int8MacsPerSecond: number; float32MacsPerSecond: number };
}

async function measureOrt(backend: "wasm" | "webgpu", threads: number): Promise<Rates> {
  const ort = await loadOrt(backend, { threads });
  const shape = backend === "webgpu" ? GPU_SHAPE : SHAPE;
  const float = await ortGemm(ort, backend, "float32", shape);
  // The WebGPU backend has no MatMulInteger; lanes bring their own exact products there.
  const integer = backend === "wasm" ? await ortGemm(ort, backend, "int8", shape) : { right: true, macsPerSecond: 0 };
  return {
    right: float.right && integer.right,
    macsPerSecond: { int8MacsPerSecond: integer.macsPerSecond, float32MacsPerSecond: float.macsPerSecond },
  };
}

async function ortGemm(ort: Ort, backend: string, kind: "float32" | "int8", shape: GemmShape) {
  const { a, b } = operands(kind, shape);
  const model = b instanceof Int8Array ? integerMatMulModel(b, shape.k, shape.n) : floatMatMulModel();
  const session = await ort.InferenceSession.create(model, { executionProviders: [backend] });
  const left = new ort.Tensor(kind === "int8" ? "uint8" : "float32", a, [shape.m, shape.k]);
  const feeds =
    b instanceof Int8Array
      ? { [MATMUL.left]: left }
      : { [MATMUL.left]: left, [MATMUL.weights]: new ort.Tensor("float32", b, [shape.k, shape.n]) };
  const run = async (): Promise<ArrayLike<number>> => {
    const results = await session.run(feeds);
    return (await results[MATMUL.output]!.getData()) as Float32Array | Int32Array;
  };
  const right = isRight(kind, shape, a, b, await run());
  const rate = await macsPerSecond(run, shape);
  await session.release();
  return { right, macsPerSecond: rate };
}

async function measureTfjs(backend: TfjsBackend): Promise<Rates> {
  const core = await loadTfjs(backend);
  const shape = backend === "webgpu" ? GPU_SHAPE : SHAPE;
  const { a, b } = operands("float32", shape);
  const left = core.tensor2d(Float32Array.from(a), [shape.m, shape.k]);
  const right = core.tensor2d(Float32Array.from(b), [shape.k, shape.n]);
  const run = async (): Promise<ArrayLike<number>> => {
    const product = core.matMul(left, right);
    const values = await product.data();
    product.dispose();
    return values;
  };
  const isCorrect = isRight("float32", shape, a, b, await run());
  const rate = await macsPerSecond(run, shape);
  core.dispose([left, right]);
  return { right: isCorrect, macsPerSecond: { int8MacsPerSecond: 0, float32MacsPerSecond: rate } };
}

async function macsPerSecond(run: () => Promise<unknown>, { m, k, n }: GemmShape): Promise<number> {
  await run();
  const startMs = performance.now();
  let runs = 0;
  let spentMs = 0;
  do {
    await run();
    runs++;
    spentMs = performance.now() - startMs;
  } while (spentMs < MEASURE_MS);
  return (runs * m * k * n * 1_000) / spentMs;
}

/** Small integers, so that float32 and int8 products have one right answer each (sums stay below 2^24). */
function operands(kind: "float32" | "int8", { m, k, n }: GemmShape) {
  const fill = (length: number, low: number, span: number): number[] =>
    Array.from({ length }, (_, i) => low + ((i * 7919 + (i >> 5) * 104_729) % span));
  const a = fill(m * k, 0, 64);
  const b = fill(k * n, -32, 64);
  return kind === "int8"
    ? { a: Uint8Array.from(a), b: Int8Array.from(b) }
    : { a: Float32Array.from(a), b: Float32Array.from(b) };
}

/** Some rows and columns against plain arithmetic; exact for integers. */
function isRight(
  kind: "float32" | "int8",
  { m, k, n }: GemmShape,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  c: ArrayLike<number>,
): boolean {
  if (c.length !== m * n) return false;
  for (let row = 0; row < m; row += 37) {
    for (let column = 0; column < n; column += 41) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!;
      const allowed = kind === "int8" ? 0 : FLOAT_TOLERANCE * Math.max(1, Math.abs(sum));
      if (!(Math.abs(c[row * n + column]! - sum) <= allowed)) return false;
    }
  }
  return true;
}

async function hasAdapter(): Promise<boolean> {
  try {
    const { gpu } = navigator as Navigator & { gpu?: { requestAdapter(): Promise<object | null> } };
    return gpu !== undefined && (await gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}
