/**
 * Sliding windows (convolution, pooling): output sizes, automatic padding, and what an average divides by.
 * Rules of the ONNX operator specification (Conv-11, AveragePool-19, MaxPool-12); TensorFlow's SAME is SAME_UPPER.
 */
import type { Window } from "./graph.ts";

export type AutoPad = "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";

/** Input positions that one window spans along one axis, gaps of the dilation included. */
export function windowSpan(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/**
 * Output positions along one spatial axis; 0 or less means that the window does not fit.
 * With `ceilMode` a last window may hang over the end, but must start inside the input or its left padding.
 */
export function windowCount(window: Window, axis: number, inputLength: number, ceilMode: boolean): number {
  const stride = window.strides[axis]!;
  const begin = window.padsBegin[axis]!;
  const room = inputLength + begin + window.padsEnd[axis]! - windowSpan(window.kernel[axis]!, window.dilations[axis]!);
  if (room < 0) return 0;
  if (!ceilMode) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1;
  return (count - 1) * stride >= inputLength + begin ? count - 1 : count;
}

/** Pads that `autoPad` stands for, given the input's spatial lengths. */
export function resolveAutoPad(
  autoPad: Exclude<AutoPad, "NOTSET">,
  spatial: readonly number[],
  window: Pick<Window, "kernel" | "strides" | "dilations">,
): Pick<Window, "padsBegin" | "padsEnd"> {
  const totals = spatial.map((length, axis) => {
    if (autoPad === "VALID") return 0;
    const stride = window.strides[axis]!;
    const positions = Math.ceil(length / stride);
    return Math.max(0, (positions - 1) * stride + windowSpan(window.kernel[axis]!, window.dilations[axis]!) - length);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total) => Math.ceil(total / 2));
  return autoPad === "SAME_LOWER" ? { padsBegin: large, padsEnd: small } : { padsBegin: small, padsEnd: large };
}

/**
 * What the sum over one window of an average pool is divided by, at output position `position` (one index per spatial
 * axis) of an input with lengths `spatial`.
 */
export function poolDivisor(
  window: Window,
  countIncludePad: boolean,
  spatial: readonly number[],
  position: readonly number[],
): number {
  let divisor = 1;
  for (let axis = 0; axis < spatial.length; axis++) {
    const length = spatial[axis]!;
    const [low, high] = countIncludePad ? [-window.padsBegin[axis]!, length + window.padsEnd[axis]!] : [0, length];
    const start = position[axis]! * window.strides[axis]! - window.padsBegin[axis]!;
    let inside = 0;
    for (let tap = 0; tap < window.kernel[axis]!; tap++) {
      const at = start + tap * window.dilations[axis]!;
      if (at >= low && at < high) inside++;
    }
    divisor *= inside;
  }
  return divisor;
}
