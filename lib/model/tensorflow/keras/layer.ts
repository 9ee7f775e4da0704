/** One call of a Keras layer as the layer tables see it: typed settings, variables, inputs. */

import type { GraphBuilder } from "../../builder.ts";
import { Emitter } from "../../emitter.ts";
import type { Tensor, ValueId } from "../../graph.ts";
import type { DataFormat, Padding, Sliding } from "../channels-last.ts";
import type { KerasLayer } from "./config.ts";

/** Finds a layer's variables; `names` in the order in which Keras creates them. */
export type FindVariables = (names: readonly string[]) => readonly (Tensor | undefined)[];

export class LayerCall extends Emitter {
  readonly inputs: readonly ValueId[];
  /** Keras 3 changed some defaults (hard_sigmoid among them). */
  readonly kerasVersion: number;
  readonly #layer: KerasLayer;
  readonly #find: FindVariables;

  constructor(
    builder: GraphBuilder,
    layer: KerasLayer,
    inputs: readonly ValueId[],
    find: FindVariables,
    kerasVersion: number,
  ) {
    super(builder, layer.name, layer.className);
    this.#layer = layer;
    this.inputs = inputs;
    this.#find = find;
    this.kerasVersion = kerasVersion;
  }

  get input(): ValueId {
    const [first, second] = this.inputs;
    if (first === undefined || second !== undefined) throw this.invalid(`reads ${this.inputs.length} values, not one`);
    return first;
  }

  /** The variables of the given names; `undefined` entries of the list are left out. */
  variables(...names: readonly (string | false)[]): readonly (Tensor | undefined)[] {
    const wanted = names.filter((name) => name !== false);
    const found = this.#find(wanted);
    return names.map((name) => {
      if (name === false) return undefined;
      const tensor = found[wanted.indexOf(name)];
      if (!tensor) throw this.invalid(`its variable "${name}" is not among the weights`);
      return tensor;
    });
  }

  // -------------------------------------------------------------- settings

  has(key: string): boolean {
    return this.#layer.config[key] !== undefined && this.#layer.config[key] !== null;
  }

  raw(key: string): unknown {
    return this.#layer.config[key];
  }

  number(key: string, fallback: number): number {
    const value = this.#layer.config[key] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.malformed(key);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#layer.config[key] ?? fallback;
    if (typeof value !== "boolean") throw this.malformed(key);
    return value;
  }

  text(key: string, fallback: string): string {
    const value = this.#layer.config[key] ?? fallback;
    if (typeof value !== "string") throw this.malformed(key);
    return snakeCase(value);
  }

  /** A whole number, or one per axis. */
  lengths(key: string, count: number, fallback?: number): readonly number[] {
    const value = this.#layer.config[key] ?? fallback;
    const list = typeof value === "number" ? new Array<number>(count).fill(value) : value;
    if (!isNumbers(list) || list.length !== count) throw this.malformed(key);
    return list;
  }

  list(key: string): readonly number[] {
    const value = this.#layer.config[key];
    const list = typeof value === "number" ? [value] : value;
    if (!isNumbers(list)) throw this.malformed(key);
    return list;
  }

  format(): DataFormat {
    return this.text("data_format", "channels_last") === "channels_first" ? "channelsFirst" : "channelsLast";
  }

  padding(): Padding {
    const padding = this.text("padding", "valid");
    if (padding !== "same" && padding !== "valid" && padding !== "causal") throw this.malformed("padding");
    return padding;
  }

  /** Stride, dilation, padding and layout of a convolution over `rank` axes. */
  sliding(rank: number): Omit<Sliding, "kernel"> {
    return {
      strides: this.lengths("strides", rank, 1),
      dilations: this.lengths("dilation_rate", rank, 1),
      padding: this.padding(),
      format: this.format(),
    };
  }

  malformed(key: string) {
    return this.invalid(
      `its setting "${key}" is ${JSON.stringify(this.#layer.config[key])?.slice(0, 80) ?? "missing"}`,
    );
  }
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "number" && Number.isFinite(entry));
}

/** TensorFlow.js writes some values in camel case: channelsLast → channels_last. */
export function snakeCase(text: string): string {
  return text.replaceAll(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
}
