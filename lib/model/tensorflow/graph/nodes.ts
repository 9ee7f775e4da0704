/**
 * A TensorFlow graph, whichever file it came from: TensorFlow.js JSON or protobuf. And one node of it as the operator
 * table sees it.
 */
import type { GraphBuilder } from "../../builder.ts";
import { Emitter } from "../../emitter.ts";
import type { Dim, DType, Shape, Tensor, ValueId } from "../../graph.ts";
import { type Operand, operandOfDims } from "../../operand.ts";

export type TfAttribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "text"; readonly value: string }
  /** Undefined for text, complex numbers and other types that are not numbers. */
  | { readonly kind: "dtype"; readonly value: DType | undefined }
  /** −1 for an open length; undefined for an open rank. */
  | { readonly kind: "shape"; readonly value: readonly number[] | undefined }
  | { readonly kind: "tensor"; readonly value: () => { readonly dtype: DType; readonly tensor: Tensor } }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "texts"; readonly value: readonly string[] }
  | { readonly kind: "function"; readonly value: string };

export interface TfNode {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:1`, in functions `node:output:0`; control inputs (`^node`) are left out. */
  readonly inputs: readonly string[];
  readonly attributes: ReadonlyMap<string, TfAttribute>;
}

export interface TfFunction {
  readonly name: string;
  readonly nodes: readonly TfNode[];
  /** Names of the arguments, in order. */
  readonly arguments: readonly string[];
  /** What each result is, in order: a reference into the function. */
  readonly results: readonly string[];
}

/** A named input or output of the whole model. */
export interface TfPort {
  readonly name: string;
  /** `node:0` */
  readonly tensor: string;
  readonly dtype: DType | undefined;
  readonly shape: readonly number[] | undefined;
}

export interface TfGraph {
  readonly name: string;
  readonly nodes: readonly TfNode[];
  readonly functions: ReadonlyMap<string, TfFunction>;
  /** Undefined: every Placeholder, in the order of the file. */
  readonly inputs: readonly TfPort[] | undefined;
  /** Undefined: every value that nothing reads. */
  readonly outputs: readonly TfPort[] | undefined;
  /** Values of Const nodes that are stored beside the graph (TensorFlow.js). */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Values of variables, where the graph has any (SavedModel). */
  readonly variable: (name: string) => Tensor | undefined;
}

export type TfValue = Operand | { readonly kind: "variable"; readonly name: string };

/** TensorFlow's DataType enum by the names the graph uses. */
export const TF_DTYPES: ReadonlyMap<number, DType> = new Map([
  [1, "float32"],
  [2, "float64"],
  [3, "int32"],
  [4, "uint8"],
  [5, "int16"],
  [6, "int8"],
  [9, "int64"],
  [10, "bool"],
  [14, "bfloat16"],
  [17, "uint16"],
  [19, "float16"],
  [22, "uint32"],
  [23, "uint64"],
]);

/** The same by the names that TensorFlow.js writes. */
export const TF_DTYPE_NAMES: ReadonlyMap<string, DType> = new Map([
  ["DT_FLOAT", "float32"],
  ["DT_DOUBLE", "float64"],
  ["DT_INT32", "int32"],
  ["DT_UINT8", "uint8"],
  ["DT_INT16", "int16"],
  ["DT_INT8", "int8"],
  ["DT_INT64", "int64"],
  ["DT_BOOL", "bool"],
  ["DT_BFLOAT16", "bfloat16"],
  ["DT_UINT16", "uint16"],
  ["DT_HALF", "float16"],
  ["DT_UINT32", "uint32"],
  ["DT_UINT64", "uint64"],
]);

export class TfReader extends Emitter {
  readonly node: TfNode;
  readonly #values: readonly TfValue[];

  constructor(builder: GraphBuilder, node: TfNode, values: readonly TfValue[]) {
    super(builder, node.name, node.op);
    this.node = node;
    this.#values = values;
  }

  // -------------------------------------------------------------- inputs

  get inputCount(): number {
    return this.#values.length;
  }

  /** A value of the graph or a list of lengths; a variable's handle is neither. */
  operand(index: number): Operand {
    const value = this.#values[index];
    if (!value) throw this.invalid(`input ${index} is missing`);
    if (value.kind !== "variable") return value;
    throw this.unsupported("works on a variable itself", "Save the model for inference only (model.export).");
  }

  /** Any input, handles of variables too. */
  any(index: number): TfValue {
    const value = this.#values[index];
    if (!value) throw this.invalid(`input ${index} is missing`);
    return value;
  }

  value(index: number): ValueId {
    const operand = this.operand(index);
    if (operand.kind === "value") return operand.id;
    throw this.unsupported("computes with the batch size", "Let only axis 0 depend on the batch.");
  }

  inputShape(index: number): Shape {
    const operand = this.operand(index);
    if (operand.kind === "value") return this.builder.shape(operand.id);
    return operand.scalar ? [] : [operand.dims.length];
  }

  tensor(index: number): Tensor {
    const constant = this.builder.constantOf(this.value(index));
    if (constant) return constant;
    throw this.unsupported(
      `needs a constant as input ${index}, but it depends on the data`,
      "Use fixed sizes and indices in the model's code and save it again.",
    );
  }

  integers(index: number): readonly number[] {
    return Array.from(this.tensor(index).data);
  }

  integer(index: number): number {
    const [value] = this.integers(index);
    if (value === undefined) throw this.invalid(`input ${index} is empty`);
    return value;
  }

  dims(index: number): readonly Dim[] {
    const operand = this.operand(index);
    return operand.kind === "dims" ? operand.dims : this.integers(index);
  }

  // -------------------------------------------------------------- attributes

  int(name: string, fallback: number): number {
    const attribute = this.node.attributes.get(name);
    if (attribute && attribute.kind !== "int") throw this.#wrongType(name);
    return attribute?.value ?? fallback;
  }

  number(name: string, fallback: number): number {
    const attribute = this.node.attributes.get(name);
    if (attribute && attribute.kind !== "float") throw this.#wrongType(name);
    return attribute?.value ?? fallback;
  }

  flag(name: string, fallback = false): boolean {
    const attribute = this.node.attributes.get(name);
    if (attribute && attribute.kind !== "bool") throw this.#wrongType(name);
    return attribute?.value ?? fallback;
  }

  text(name: string, fallback: string): string {
    const attribute = this.node.attributes.get(name);
    if (attribute && attribute.kind !== "text") throw this.#wrongType(name);
    return attribute?.value ?? fallback;
  }

  ints(name: string): readonly number[] {
    const attribute = this.node.attributes.get(name);
    if (attribute && attribute.kind !== "ints") throw this.#wrongType(name);
    return attribute?.value ?? [];
  }

  texts(name: string): readonly string[] {
    const attribute = this.node.attributes.get(name);
    // An empty list has no element to tell its type by.
    if (attribute?.kind === "ints" && attribute.value.length === 0) return [];
    if (attribute && attribute.kind !== "texts") throw this.#wrongType(name);
    return attribute?.value ?? [];
  }

  dtype(name: string): DType {
    const attribute = this.node.attributes.get(name);
    if (attribute?.kind === "dtype" && attribute.value) return attribute.value;
    throw this.unsupported("works on values that are not numbers", "Convert text to numbers before the model.");
  }

  literal(name: string): { dtype: DType; tensor: Tensor } | undefined {
    const attribute = this.node.attributes.get(name);
    return attribute?.kind === "tensor" ? attribute.value() : undefined;
  }

  functionName(name: string): string | undefined {
    const attribute = this.node.attributes.get(name);
    return attribute?.kind === "function" ? attribute.value : undefined;
  }

  #wrongType(name: string) {
    return this.invalid(`attribute "${name}" has the wrong type`);
  }

  // -------------------------------------------------------------- results

  lengths(dims: readonly Dim[], scalar = false): Operand {
    return operandOfDims(this.builder, this.name, dims, scalar);
  }
}
