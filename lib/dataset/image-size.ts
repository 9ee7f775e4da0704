/**
 * Kind and size of an image from its first bytes, before any decoder sees it: PNG (W3C PNG, 11.2.2), JPEG (ITU-T T.81, B.2.2)
 * and WebP (RFC 9649). Everything else, SVG above all, is not read.
 */

export interface ImageHeader {
  readonly kind: "png" | "jpeg" | "webp";
  readonly width: number;
  readonly height: number;
  readonly grey: boolean;
}

/** Null when it is none of the three, or breaks off before its size. */
export function imageHeader(bytes: Uint8Array): ImageHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 26 && view.getUint32(0) === 0x89504e47 && view.getUint32(12) === 0x49484452) {
    return { kind: "png", width: view.getUint32(16), height: view.getUint32(20), grey: (bytes[25]! & 2) === 0 };
  }
  if (bytes.length >= 4 && view.getUint16(0) === 0xffd8) return jpegHeader(view);
  if (bytes.length >= 30 && view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250)
    return webpHeader(view);
  return null;
}

/** Walks the segments to the frame header (SOF0 to SOF15 without DHT, JPG and DAC). */
function jpegHeader(view: DataView): ImageHeader | null {
  let at = 2;
  while (at + 9 < view.byteLength) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return {
        kind: "jpeg",
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        grey: view.getUint8(at + 9) === 1,
      };
    }
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

function webpHeader(view: DataView): ImageHeader | null {
  const chunk = view.getUint32(12);
  if (chunk === 0x56503820) {
    return size(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
  }
  if (chunk === 0x5650384c) {
    const bits = view.getUint32(21, true);
    return size((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
  }
  if (chunk === 0x56503858) {
    return size((view.getUint32(23, true) >>> 8) + 1, (view.getUint32(26, true) >>> 8) + 1);
  }
  return null;

  function size(width: number, height: number): ImageHeader {
    return { kind: "webp", width, height, grey: false };
  }
}
