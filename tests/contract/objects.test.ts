/** The blob and object contract on the disk. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskBlobs } from "#lib/storage/disk/blobs.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
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
