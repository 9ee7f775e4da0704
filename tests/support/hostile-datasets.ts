/** Files made to harm, by hand: what the readers of datasets refuse (tests/unit/dataset/hostile.test.ts, tests/contract/hostile-files.test.ts). */
import { zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";

/** Signature, dimensions, RGB, then nothing. */
export function pngHeader(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  view.setUint32(16, width);
  view.setUint32(20, height);
  bytes.set([8, 2], 24);
  return bytes;
}

export async function largeJpegs(): Promise<Uint8Array> {
  const picture = sharp({ create: { width: 8192, height: 5120, channels: 3, background: "red" } });
  const jpeg = new Uint8Array(await picture.jpeg({ progressive: true }).toBuffer());
  return zipSync(
    { "a.jpg": jpeg, "b.jpg": jpeg, "c.jpg": jpeg, "d.jpg": jpeg, "e.jpg": new Uint8Array(9) },
    { level: 0 },
  );
}

function signatureAt(zip: Uint8Array, signature: number, from = 0): number {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  for (let at = from; at + 4 <= zip.length; at++) if (view.getUint32(at, true) === signature) return at;
  throw new Error("no such signature");
}

/** The same archive with another unpacked size in its directory. */
export function redeclared(zip: Uint8Array, bytes: number): Uint8Array {
  const central = signatureAt(zip, 0x02014b50);
  new DataView(zip.buffer, zip.byteOffset).setUint32(central + 24, bytes, true);
  return zip;
}

/** Two directory entries that share one entry's data. */
export function overlapping(): Uint8Array {
  const zip = zipSync({ "a.png": new Uint8Array(100) });
  const central = signatureAt(zip, 0x02014b50);
  const end = signatureAt(zip, 0x06054b50, central);
  const entry = zip.subarray(central, end);
  const doubled = new Uint8Array(zip.length + entry.length);
  doubled.set(zip.subarray(0, end));
  doubled.set(entry, end);
  doubled.set(zip.subarray(end), end + entry.length);
  const view = new DataView(doubled.buffer);
  const at = end + entry.length;
  view.setUint16(at + 8, 2, true);
  view.setUint16(at + 10, 2, true);
  view.setUint32(at + 12, 2 * entry.length, true);
  return doubled;
}

/** A ZIP64 end record with ten million entries. */
export function manyEntries(): Uint8Array {
  const bytes = new Uint8Array(4 + 56 + 20 + 22);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x04034b50, true);
  view.setUint32(4, 0x06064b50, true);
  view.setBigUint64(4 + 32, 10_000_000n, true);
  view.setUint32(60, 0x07064b50, true);
  view.setBigUint64(60 + 8, 4n, true);
  view.setUint32(80, 0x06054b50, true);
  view.setUint16(80 + 10, 0xffff, true);
  return bytes;
}

export function parquetFooter(footer: Uint8Array): Uint8Array {
  const magic = new TextEncoder().encode("PAR1");
  const length = new Uint8Array(new Uint32Array([footer.length]).buffer);
  return Uint8Array.from([...magic, ...footer, ...length, ...magic]);
}

/** Field 1: a list of lists of lists …, each of 2^24 elements, of which there are none. */
export function hollowLists(): Uint8Array {
  const list = [0xf9, 0x80, 0x80, 0x80, 0x08];
  return parquetFooter(Uint8Array.from([0x19, ...Array.from({ length: 30 }, () => list).flat()]));
}

/** The first page claims all the values of a page more. */
export function lyingPages(): Uint8Array {
  const data = Int32Array.from({ length: 4000 }, (_, row) => row * 7919);
  const file = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "x", data }], codec: "UNCOMPRESSED" }));
  // num_values 4000 is the zigzag varint 0xc0 0x3e behind its field's head; 8,191 in its place.
  for (let at = 40; at > 4; at--) {
    if (file[at] === 0xc0 && file[at + 1] === 0x3e) {
      file.set([0xfe, 0x7f], at);
      return file;
    }
  }
  throw new Error("the page header has no count of 4000");
}
