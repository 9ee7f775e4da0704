/** The built loader as partners load it: its address, the pinned one, and the digest for `integrity`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const EmbedRelease = z.object({ path: z.string(), pinned_path: z.string(), integrity: z.string(), bytes: z.number() });
export type EmbedRelease = z.infer<typeof EmbedRelease>;

/** Written by `npm run assets`. */
export async function embedRelease(projectFolder: string): Promise<EmbedRelease> {
  return EmbedRelease.parse(JSON.parse(await readFile(join(projectFolder, "public/embed/v1.json"), "utf8")));
}
