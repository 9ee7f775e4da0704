/** Runs in a page: a whole job in the submitter's custody, as the dashboard would run it. */
import { type BrowserCustody, openBrowserCustody } from "#lib/client/custody/browser/custody.ts";
import { FluxClient } from "#lib/client/flux-client.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";

export interface PageFiles {
  readonly model: number[];
  readonly dataset: number[];
}

const filesOf = ({ model, dataset }: PageFiles) => ({
  models: [{ name: "small.onnx", content: new File([new Uint8Array(model)], "small.onnx") }],
  dataset: { name: "records.npy", content: new File([new Uint8Array(dataset)], "records.npy") },
});

let custody: BrowserCustody;

const page = {
  async open(apiKey: string): Promise<void> {
    custody = await openBrowserCustody({ client: new FluxClient({ url: location.origin, apiKey }) });
  },
  async submit(files: PageFiles): Promise<JobId> {
    const planned = await custody.plan({ ...filesOf(files), ingest: {}, options: { name: "from a page" } });
    return (await custody.submit(planned)).id;
  },
  async run(job: JobId): Promise<{ status: string; seen: string[] }> {
    const seen = new Set<string>();
    const outcome = await custody.run(job, {
      onProgress: ({ encrypted, uploadedBytes, lanesDone, decrypted }) => {
        if (encrypted > 0) seen.add("encrypted");
        if (uploadedBytes > 0) seen.add("uploaded");
        if (lanesDone > 0) seen.add("computed");
        if (decrypted > 0) seen.add("decrypted");
      },
    });
    return { status: outcome.job.status, seen: [...seen] };
  },
  reopen: (job: JobId, files: PageFiles) => custody.reopen(job, filesOf(files)),
  results: async (job: JobId) => (await custody.results(job, "jsonl")).file.text(),
  exportKeys: async (job: JobId) => (await custody.exportKeys(job)).text(),
  importKeys: (text: string) => custody.importKeys(new Blob([text])),
  /** The code of the error that something fails with. */
  async failure(job: JobId): Promise<string> {
    try {
      await custody.outputs(job);
      return "none";
    } catch (error) {
      return isFluxError(error) ? error.code : String(error);
    }
  },
};
export type CustodyPage = typeof page;

declare global {
  var custodyPage: CustodyPage;
}
globalThis.custodyPage = page;
