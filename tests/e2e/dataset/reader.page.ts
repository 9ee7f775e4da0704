/** The browser's side of dataset-in-browser.spec.ts: `readDataset(name, bytes, preprocessing)` on the page. */
import { browserDecoders } from "#lib/dataset/browser/decoders.ts";
import type { Preprocessing } from "#lib/protocol/datasets.ts";
import { read } from "./read.ts";

export type ReadDataset = (
  name: string,
  bytes: readonly number[],
  preprocessing: Preprocessing,
) => ReturnType<typeof read>;

const readDataset: ReadDataset = (name, bytes, preprocessing) =>
  read(new File([new Uint8Array(bytes)], name), preprocessing, browserDecoders);

Object.assign(globalThis, { readDataset });
