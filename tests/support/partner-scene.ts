/** A coordinator, a partner's site under a key of it, and jobs to donate to: what tests and benchmarks of the embed start from. */
import { SiteResource } from "#lib/protocol/api/partners.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "./coordinator.ts";
import { byteRecords, type DenseShape, denseModel } from "./dense-model.ts";
import { type PartnerPage, type PartnerSite, startPartnerSite } from "./partner-site.ts";
import { publicFiles } from "./public-files.ts";

/** What the partner's page listened to, kept in `window.heard`. */
export interface Heard {
  name: string;
  microtasks: number;
  share: number;
  reason: string | null;
}
declare global {
  interface Window {
    heard: Heard[];
  }
}

export interface PartnerScene {
  readonly coordinator: TestCoordinator;
  readonly partner: PartnerSite;
  /** Serves the same page from an origin that is not the site's. */
  readonly stranger: PartnerSite;
  /** What the partner's page is from now on. */
  page: Partial<PartnerPage>;
  /** The site whose key stands in the page; `renew` makes another. */
  site: SiteResource;
  renew(): Promise<void>;
  siteNow(): Promise<SiteResource>;
  post(path: string, body: object): Promise<unknown>;
  submitJob(records: number, shape?: DenseShape): Promise<JobId>;
  close(): Promise<void>;
}

const SMALL: DenseShape = { features: 32, hidden: 64, classes: 4 };

export async function startPartnerScene(): Promise<PartnerScene> {
  const coordinator = await startTestCoordinator({}, publicFiles);
  const page = (): PartnerPage => ({
    tag: {
      src: `${coordinator.url}/embed/v1.js`,
      "data-flux-site": scene.site.key,
      "data-widget": "card",
      ...scene.page.tag,
    },
    extra: scene.page.extra ?? "",
    headers: scene.page.headers ?? {},
  });
  const [partner, stranger] = [await startPartnerSite(page), await startPartnerSite(page)];

  async function post(path: string, body: object): Promise<unknown> {
    const headers = { "Content-Type": "application/json" };
    return (await coordinator.call(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
  }
  const createSite = async () =>
    SiteResource.parse(await post("/sites", { name: "Garden birds", origins: [partner.origin] }));

  const scene: PartnerScene = {
    coordinator,
    partner,
    stranger,
    page: {},
    site: await createSite(),
    async renew() {
      scene.page = {};
      scene.site = await createSite();
    },
    siteNow: async () => SiteResource.parse(await (await coordinator.call(`/sites/${scene.site.id}`)).json()),
    post,
    async submitJob(records, shape = SMALL) {
      const { client } = coordinator;
      const modelFile = await client.uploadFile(new Blob([denseModel(shape)]), "dense.onnx", "model");
      const bytes = byteRecords(records, shape.features);
      const dataFile = await client.uploadFile(new Blob([bytes]), "records.npy", "dataset");
      const model = await client.createModel({ file_id: modelFile.id });
      const dataset = await client.createDataset({ file_id: dataFile.id });
      const job = await client.createJob({
        model: model.id,
        dataset: dataset.id,
        privacy: "public",
        name: "Garden birds",
      });
      return job.id;
    },
    async close() {
      await Promise.all([partner.close(), stranger.close()]);
      await coordinator.close();
    },
  };
  return scene;
}
