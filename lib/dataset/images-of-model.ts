/**
 * What a model says of the images that it reads: the size, the number of channels and their place, by the shape of its one input with
 * four axes. Scale, mean and std are in no model's metadata that is read here: they stay the submitter's to state.
 */
import type { TensorInfo } from "../protocol/api/uploads.ts";
import type { ImageSpec } from "../protocol/datasets.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";

/** Null where the inputs are no images, or of any size. */
export function imagesOfModel(inputs: readonly TensorInfo[]): ImageSpec | null {
  const pictures = inputs.filter(({ shape }) => shape.length === 4);
  const [, a = -1, b = -1, c = -1] = pictures.length === 1 ? pictures[0]!.shape : [];
  if (isChannels(a) && isSide(b) && isSide(c)) return spec(c, b, a, "chw");
  if (isChannels(c) && isSide(a) && isSide(b)) return spec(b, a, c, "hwc");
  return null;
}

function spec(width: number, height: number, channels: number, layout: ImageSpec["layout"]): ImageSpec {
  return { width, height, fit: "cover", channels: channels === 1 ? "grey" : "rgb", layout };
}

function isChannels(axis: number): boolean {
  return axis === 1 || axis === 3;
}

function isSide(axis: number): boolean {
  return axis > 3 && axis <= DATASET_LIMITS.imageSidePixels;
}
