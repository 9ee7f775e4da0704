/** What browsers decode images with, for data that never leaves the submitter's machine: createImageBitmap. */
import type { Decoders, WantedImage } from "../context.ts";

export const browserDecoders: Decoders = { image: decodeImage };

async function decodeImage(file: Uint8Array<ArrayBuffer>, wanted: WantedImage): Promise<Uint8Array<ArrayBuffer>> {
  const bitmap = await createImageBitmap(new Blob([file]), { imageOrientation: "from-image" });
  const canvas = new OffscreenCanvas(wanted.width, wanted.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no 2D canvas");
  context.fillStyle = "black";
  context.fillRect(0, 0, wanted.width, wanted.height);
  const { x, y, width, height } = placed(bitmap, wanted);
  context.drawImage(bitmap, x, y, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, wanted.width, wanted.height);
  return wanted.channels === "grey" ? greyOf(data) : rgbOf(data);
}

/** Where the whole bitmap goes on the canvas; parts outside are cut off. */
function placed(bitmap: { width: number; height: number }, wanted: WantedImage) {
  if (wanted.fit === "stretch") return { x: 0, y: 0, width: wanted.width, height: wanted.height };
  const ratios = [wanted.width / bitmap.width, wanted.height / bitmap.height];
  const ratio = wanted.fit === "cover" ? Math.max(...ratios) : Math.min(...ratios);
  const [width, height] = [bitmap.width * ratio, bitmap.height * ratio];
  return { x: (wanted.width - width) / 2, y: (wanted.height - height) / 2, width, height };
}

function rgbOf(rgba: Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}

/** Luma of ITU-R BT.709 on the encoded values; within 8 of 255 of what sharp makes (tests/e2e/dataset-in-browser.spec.ts). */
function greyOf(rgba: Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const grey = new Uint8Array(rgba.length / 4);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to++) {
    grey[to] = Math.round(0.2126 * rgba[from]! + 0.7152 * rgba[from + 1]! + 0.0722 * rgba[from + 2]!);
  }
  return grey;
}
