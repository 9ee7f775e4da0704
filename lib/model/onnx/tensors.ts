/** TensorProto: checked against its declared shape, then read into a Tensor. */
import { isFieldSet } from "@bufbuild/protobuf";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import type { DType, Tensor } from "../graph.ts";
import { DTYPE_BYTES, describeCode, dtypeOfCode } from "./dtypes.ts";
import { TensorProto_DataLocation as Location, type TensorProto, TensorProtoSchema } from "./generated/onnx_pb.ts";

/** Which tensor an error is about, in the submitter's words: `initializer "fc1.weight"`. */
export type TensorOwner = string;

/**
 * Checks that the tensor holds exactly what it declares, without decoding it. Returns its bytes.
 * Text tensors and exotic element types are only measured: inspection works on models that import refuses.
 */
export function checkTensor(tensor: TensorProto, owner: TensorOwner): number {
  if (tensor.dataLocation === Location.EXTERNAL || tensor.externalData.length > 0) {
    throw new FluxError(
      "model_external_data",
      `The ${owner} is kept in another file. Save the model as one file: onnx.save(model, path, save_as_external_data=False), or torch.onnx.export(…, external_data=False).`,
      { param: tensor.name },
    );
  }
  const elements = declaredElements(tensor, owner);
  if (tensor.segment) throw contradicts(owner, "is stored in segments, which no released ONNX tool writes");
  const dtype = dtypeOfCode(tensor.dataType);
  if (!dtype) return tensor.rawData.length + tensor.stringData.reduce((sum, text) => sum + text.length, 0);
  const bytes = elements * DTYPE_BYTES[dtype];
  if (isFieldSet(tensor, TensorProtoSchema.field.rawData)) {
    if (tensor.rawData.length !== bytes) {
      throw contradicts(
        owner,
        `declares ${bytes} bytes ([${tensor.dims.join(", ")}] ${dtype}) but holds ${tensor.rawData.length}`,
      );
    }
  } else {
    const stored = typedList(tensor, dtype).length;
    if (stored !== elements) {
      throw contradicts(
        owner,
        `declares ${elements} values ([${tensor.dims.join(", ")}] ${dtype}) but holds ${stored}`,
      );
    }
  }
  return bytes;
}

/** The tensor's values; call `checkTensor` first. Throws `model_unsupported` for text and exotic element types. */
export function readTensor(tensor: TensorProto, owner: TensorOwner): { dtype: DType; tensor: Tensor } {
  const dtype = dtypeOfCode(tensor.dataType);
  if (!dtype) {
    throw new FluxError(
      "model_unsupported",
      `The ${owner} has ${describeCode(tensor.dataType)} values. Export the model with float32 weights.`,
      { param: tensor.name },
    );
  }
  const shape = tensor.dims.map(Number);
  const raw = isFieldSet(tensor, TensorProtoSchema.field.rawData);
  const data = raw ? decodeRaw(tensor.rawData, dtype) : decodeList(typedList(tensor, dtype), dtype);
  return { dtype, tensor: { shape, data } };
}

// ---------------------------------------------------------------- sizes

function contradicts(owner: TensorOwner, what: string): FluxError {
  return new FluxError(
    "model_invalid",
    `The ${owner} ${what}. The file is damaged or made by hand: export the model again.`,
  );
}

function declaredElements(tensor: TensorProto, owner: TensorOwner): number {
  if (tensor.dims.length > MODEL_LIMITS.tensorRank) {
    throw new FluxError(
      "model_too_large",
      `The ${owner} has ${tensor.dims.length} axes; the limit is ${MODEL_LIMITS.tensorRank}.`,
    );
  }
  let elements = 1n;
  for (const dim of tensor.dims) {
    if (dim < 0n) throw contradicts(owner, `declares an axis of length ${dim}`);
    elements *= dim;
  }
  if (elements > BigInt(MODEL_LIMITS.tensorElements) || tensor.dims.some((dim) => dim > MODEL_LIMITS.tensorElements)) {
    throw new FluxError(
      "model_too_large",
      `The ${owner} declares [${tensor.dims.join(", ")}] values; the limit is ${MODEL_LIMITS.tensorElements} per tensor. Use a smaller layer, or split the model.`,
    );
  }
  return Number(elements);
}

// ---------------------------------------------------------------- values

/** The repeated field that holds values of this type when raw_data is not used. */
function typedList(tensor: TensorProto, dtype: DType): readonly number[] | readonly bigint[] {
  switch (dtype) {
    case "float32":
      return tensor.floatData;
    case "float64":
      return tensor.doubleData;
    case "int64":
      return tensor.int64Data;
    case "uint32":
    case "uint64":
      return tensor.uint64Data;
    default:
      return tensor.int32Data;
  }
}

function decodeList(list: readonly number[] | readonly bigint[], dtype: DType): Float32Array | Float64Array {
  if (dtype === "float32") return Float32Array.from(list as readonly number[]);
  const data = new Float64Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const value = Number(list[i]);
    if (dtype === "float16") data[i] = halfToNumber(value & 0xffff);
    else data[i] = dtype === "bfloat16" ? bfloatToNumber(value & 0xffff) : value;
  }
  return data;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Little-endian fixed-width elements; 64-bit integers beyond 2^53 lose their last bits, which only indices could miss. */
export function decodeRaw(raw: Uint8Array, dtype: DType): Float32Array | Float64Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const width = DTYPE_BYTES[dtype];
  const count = raw.byteLength / width;
  if (dtype === "float32") {
    // One aligned copy.
    if (LITTLE_ENDIAN) return new Float32Array(new Uint8Array(raw).buffer);
    const data = new Float32Array(count);
    for (let i = 0; i < count; i++) data[i] = view.getFloat32(4 * i, true);
    return data;
  }
  const read = ELEMENT_READERS[dtype];
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, i * width);
  return data;
}

const ELEMENT_READERS: Readonly<Record<DType, (view: DataView, offset: number) => number>> = {
  float32: (view, offset) => view.getFloat32(offset, true),
  float64: (view, offset) => view.getFloat64(offset, true),
  float16: (view, offset) => halfToNumber(view.getUint16(offset, true)),
  bfloat16: (view, offset) => bfloatToNumber(view.getUint16(offset, true)),
  int8: (view, offset) => view.getInt8(offset),
  int16: (view, offset) => view.getInt16(offset, true),
  int32: (view, offset) => view.getInt32(offset, true),
  int64: (view, offset) => Number(view.getBigInt64(offset, true)),
  uint8: (view, offset) => view.getUint8(offset),
  uint16: (view, offset) => view.getUint16(offset, true),
  uint32: (view, offset) => view.getUint32(offset, true),
  uint64: (view, offset) => Number(view.getBigUint64(offset, true)),
  bool: (view, offset) => (view.getUint8(offset) === 0 ? 0 : 1),
};

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a binary32. */
function bfloatToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}
