/** The blob and object contract on the disk. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDiskBlobs } from "#lib/storage/disk/blobs.ts";
import { discardUnfinishedFiles } from "#lib/storage/disk/files.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { objectsContract } from "./objects.contract.ts";

objectsContract("disk", async () => {
  const root = mkdtempSync(join(tmpdir(), "flux-objects-"));
  return {
    blobs: openDiskBlobs(root),
    objects: openDiskObjects(root),
    leftovers: async () => ["blobs", "objects"].flatMap((kind) => readdirSync(join(root, kind, "tmp"))).length,
    dispose: async () => rmSync(root, { recursive: true }),
  };
});

describe("the disk stores of one data folder", () => {
  const name = ObjectName.parse("encrypted/a/b");
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "flux-objects-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("may be opened by another thread while something is being written", async () => {
    const writer = await openDiskObjects(root).create(name);
    await writer.append(new Uint8Array([1, 2, 3]));
    const other = openDiskObjects(root);
    await writer.close();
    expect(await other.read(name)).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("lose what a crash left unfinished when the coordinator starts", async () => {
    await (await openDiskObjects(root).create(name)).append(new Uint8Array([1]));
    expect(readdirSync(join(root, "objects", "tmp"))).toHaveLength(1);
    discardUnfinishedFiles(root);
    const objects = openDiskObjects(root);
    expect(readdirSync(join(root, "objects", "tmp"))).toHaveLength(0);
    expect(await objects.stat(name)).toBeUndefined();
  });
});
