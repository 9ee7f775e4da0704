/** Takes up a job in a fresh engine: the very files that were encrypted, the plan and the programs that they were encrypted for. */
import { FluxError } from "#lib/protocol/errors.ts";
import type { Engine } from "./engine-caller.ts";
import { type NamedFile, sentFile } from "./engine-calls.ts";
import { checkSame, type JobStore, programBlob, type SealedState } from "./stores.ts";

/**
 * @param fetchArtefact brings a program that is not kept here, by its digest
 * @throws FluxError dataset_mismatch where a file is another one than was encrypted
 */
export async function reopenSealed(
  engine: Engine,
  store: JobStore,
  state: SealedState,
  files: { readonly models: readonly NamedFile[]; readonly dataset: NamedFile },
  fetchArtefact: (digest: string) => Promise<Blob>,
): Promise<void> {
  await checkSame(state.dataset, files.dataset.content);
  for (const [index, known] of state.models.entries()) {
    const file = files.models[index];
    if (!file) throw new FluxError("dataset_mismatch", `The model ${known.name} is needed again to go on.`);
    await checkSame(known, file.content);
  }
  const { format, columns, labelColumn, idColumn, preprocessing } = state.ingest;
  await engine.call("open", {
    models: files.models.map(sentFile),
    dataset: sentFile(files.dataset),
    ingest: {
      ...(format ? { format } : {}),
      ...(columns ? { columns } : {}),
      ...(labelColumn ? { labelColumn } : {}),
      ...(idColumn ? { idColumn } : {}),
      ...(preprocessing ? { preprocessing } : {}),
    },
    inputs: state.inputs,
    ...(state.segments ? { segments: state.segments } : {}),
  });
  const programs = [];
  for (const [index, { digest, members }] of state.programs.entries()) {
    const blob = (await store.get(state.job, programBlob(index))) ?? (await fetchArtefact(digest));
    const bytes = new Uint8Array(await blob.arrayBuffer());
    if ((await digestOf(bytes)) !== digest) {
      throw new FluxError("key_lost", `Program ${index} of ${state.job} is not the one that was encrypted for.`);
    }
    programs.push({ bytes, digest, members });
  }
  await engine.call("take", { plan: state.plan, programs });
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
