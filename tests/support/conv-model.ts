/** A small convolutional network: much arithmetic for each byte of a record, few weights. */
import { GraphBuilder } from "#lib/model/builder.ts";
import { BATCH } from "#lib/model/graph.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import { numbers } from "./public-model.ts";

export interface ConvShape {
  /** Records are square grey images, `[1, side, side]`. */
  side: number;
  channels: number;
}

/** Two 3×3 convolutions with ReLU, then the mean of each channel: about 9 · channels² · side² multiply-adds a record. */
export function convModel({ side, channels }: ConvShape): Uint8Array<ArrayBuffer> {
  const builder = new GraphBuilder("conv");
  const both = (value: number) => [value, value];
  const window = { kernel: both(3), strides: both(1), dilations: both(1), padsBegin: both(1), padsEnd: both(1) };
  const x = builder.input("x", [BATCH, 1, side, side]);
  const layer = (input: typeof x, from: number, name: string) => {
    const data = numbers(channels * from * 9, from + 1).map((value) => value / Math.sqrt(9 * from));
    const weights = builder.constant(`${name}.w`, { shape: [channels, from, 3, 3], data });
    const bias = builder.constant(`${name}.b`, { shape: [channels], data: numbers(channels, 5) });
    const conv = builder.add({ op: "conv", x: input, weights, bias, window, groups: 1, name, source: "Conv" });
    return builder.add({ op: "relu", x: conv, name: `${name}.relu`, source: "Relu" });
  };
  const features = layer(layer(x, 1, "first"), channels, "second");
  builder.output(
    "y",
    builder.add({ op: "reduceMean", x: features, axes: [2, 3], keepDims: false, name: "mean", source: "ReduceMean" }),
  );
  return Uint8Array.from(writeOnnx(builder.build()));
}
