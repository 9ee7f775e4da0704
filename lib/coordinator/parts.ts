/** Opens what the coordinator consists of, in the order in which the parts need each other, and closes it in reverse. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CUSTODY_LIMITS } from "#lib/protocol/limits.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { openDiskBlobs } from "#lib/storage/disk/blobs.ts";
import { discardUnfinishedFiles } from "#lib/storage/disk/files.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { openAccess } from "./accounts/access.ts";
import { offerAdminToken } from "./accounts/admin-link.ts";
import type { AuthHandler } from "./accounts/auth-handler.ts";
import { JobAggregation } from "./aggregation/job-aggregation.ts";
import { AggregationMemory } from "./aggregation/memory.ts";
import { openCheckingPool } from "./checking/pool.ts";
import { recordChecker } from "./checking/record-checker.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { openCountries } from "./countries.ts";
import { DiskBudget } from "./custody/disk-budget.ts";
import { SubmittedJobs } from "./custody/submitted-jobs.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import type { KernelRegistry } from "./dispatch/kernel-services.ts";
import { EncryptedJobs } from "./encrypted/encrypted-jobs.ts";
import { openKeyVault } from "./encrypted/key-vault.ts";
import { laneChecker } from "./encrypted/lane-checker.ts";
import { lanePayloads } from "./encrypted/lane-payloads.ts";
import { type FleetReporter, fleetReporter } from "./fleet-report.ts";
import { type Gateway, openGateway, TICKET_SECRET } from "./gateway/gateway.ts";
import { createFirstKey } from "./identity.ts";
import { modelProbe } from "./jobs/probe.ts";
import { recordPayloads } from "./jobs/record-payloads.ts";
import type { Log } from "./log.ts";
import { Backups } from "./operator/backups.ts";
import { OperatorService } from "./operator/operator-service.ts";
import { type Optimizer, openOptimizer } from "./optimizer.ts";
import type { EmbedOptions } from "./partners/embed.ts";
import { createGroupService } from "./partners/group-service.ts";
import { createSiteService } from "./partners/site-service.ts";
import { ReceiptBook } from "./receipts/receipt-book.ts";
import { openSigningKey } from "./receipts/signing-key.ts";
import type { Callers } from "./rest/caller.ts";
import type { OpenConnections } from "./rest/open-connections.ts";
import { openApiDocument } from "./rest/openapi.ts";
import type { Route } from "./rest/route.ts";
import { createRest, type Rest } from "./rest/router.ts";
import { accessRoutes } from "./rest/routes/access.ts";
import { accountRoutes } from "./rest/routes/account.ts";
import { custodyRoutes } from "./rest/routes/custody.ts";
import { datasetRoutes } from "./rest/routes/datasets.ts";
import { donorRoutes } from "./rest/routes/donors.ts";
import { fileRoutes } from "./rest/routes/files.ts";
import { fleetRoutes } from "./rest/routes/fleet.ts";
import { groupRoutes } from "./rest/routes/groups.ts";
import { jobRoutes } from "./rest/routes/jobs.ts";
import { metaRoutes } from "./rest/routes/meta.ts";
import { modelRoutes } from "./rest/routes/models.ts";
import { operatorRoutes } from "./rest/routes/operator.ts";
import { optimizerRoutes } from "./rest/routes/optimizer.ts";
import { receiptRoutes } from "./rest/routes/receipts.ts";
import { siteRoutes } from "./rest/routes/sites.ts";
import { volunteerRoutes } from "./rest/routes/volunteers.ts";
import { webhookRoutes } from "./rest/routes/webhooks.ts";
import { createUploads, type Uploads } from "./rest/uploads.ts";
import { loadSecret } from "./secrets.ts";
import { AccountService } from "./services/account.ts";
import { createDatasetService } from "./services/datasets.ts";
import { createDonorService } from "./services/donors.ts";
import { createFileService } from "./services/files.ts";
import type { Services } from "./services/index.ts";
import { createJobRecordsService } from "./services/job-records.ts";
import { createJobWorkService } from "./services/job-work.ts";
import { JobService } from "./services/jobs.ts";
import { createModelService } from "./services/models.ts";
import { WebhookService } from "./services/webhooks.ts";
import { createVolunteerService } from "./volunteers/volunteer-service.ts";

import { checkWebhookUrl, isPublicAddress, type WebhookRules } from "./webhooks/address.ts";
import { WebhookDispatch } from "./webhooks/dispatch.ts";

export interface Parts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly dispatcher: Dispatcher;
  readonly gateway: Gateway;
  readonly fleet: FleetReporter;
  readonly optimizer: Optimizer;
  readonly services: Services;
  readonly routes: readonly Route[];
  readonly rest: Rest;
  readonly uploads: Uploads;
  readonly embed: EmbedOptions;
  readonly account: AccountService;
  readonly webhooks: WebhookService;
  readonly operator: OperatorService;
  readonly callers: Callers;
  readonly connections: OpenConnections;
  readonly authHandler: AuthHandler;
  /** Shown once, at the very first start. */
  readonly firstKey: string | undefined;
  /** While this server has no admin: who signs up with it becomes one. */
  readonly adminToken: string | undefined;
  /** Goes on where the last run ended; before donors are let in. */
  readonly resume: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What donors are told to wait before they look for the coordinator again. */
const RECONNECT_AFTER_MS = 2_000;

/** Checks take some percent of what donors compute; two keep one slow model from holding up the others. */
const CHECKING_THREADS = 2;
/** How long donors may take to send what they are computing; with the rest, SIGTERM stays below 10 s. */
const DRAIN_LEASES_MS = 4_000;

/** @param notReady what keeps the server from serving, in words; null when it is ready */
export async function openParts(
  config: Config,
  log: Log,
  now: () => number,
  notReady: () => string | null,
): Promise<Parts> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  const store = openSqliteStore(join(config.dataFolder, "flux.sqlite"));
  discardUnfinishedFiles(config.dataFolder);
  const blobs = openDiskBlobs(config.dataFolder);
  const objects = openDiskObjects(config.dataFolder);
  const firstKey = await createFirstKey(store, now());

  const payloads = recordPayloads(store, objects);
  const pool = openCheckingPool({ threads: CHECKING_THREADS });
  const costModel = createCostModel();
  const optimizer = await openOptimizer({ costModel, store, log, now });
  const auditedShare = () => optimizer.auditedShare("records");
  const lanes = laneChecker(blobs, objects, () => optimizer.auditedShare("lanes"));
  const records = { payloads, checker: recordChecker({ payloads, blobs, pool, auditedShare }) };
  const kernels: KernelRegistry = {
    onnx: records,
    tfjs: records,
    lanes: { payloads: lanePayloads(objects), checker: lanes },
  };
  const dispatcher = new Dispatcher({
    store,
    objects,
    policy: createPolicy(),
    costModel,
    kernels,
    clock: systemClock,
    unitsPerMicrotask: (stage) => optimizer.unitsPerMicrotask(stage),
  });
  optimizer.watch(dispatcher.events);
  const fleet = fleetReporter(dispatcher, costModel, now);
  const encrypted: EncryptedJobs = new EncryptedJobs({
    store,
    blobs,
    objects,
    objectsFolder: config.dataFolder,
    vault: await openKeyVault(config.dataFolder),
    checker: lanes,
    addBatch: (batch) => dispatcher.addBatch(batch),
    redoBatch: (batch) => dispatcher.redoBatch(batch),
    convict: (donorId) => dispatcher.convict(donorId),
    fail: (jobId, error) => lifecycle.fail(jobId, error),
    log,
    now,
  });
  const submitted: SubmittedJobs = new SubmittedJobs({
    store,
    blobs,
    objects,
    objectsFolder: config.dataFolder,
    budget: new DiskBudget(CUSTODY_LIMITS.diskBytes),
    checker: lanes,
    addBatch: (batch) => dispatcher.addBatch(batch),
    redoBatch: (batch) => dispatcher.redoBatch(batch),
    convict: (donorId) => dispatcher.convict(donorId),
    touch: (jobId) => lifecycle.touch(jobId),
    fail: (jobId, error) => lifecycle.fail(jobId, error),
    log,
    now,
  });
  const webhookRules: WebhookRules = {
    allowHttp: config.webhooks.allowHttp,
    mayReach: config.webhooks.allowPrivate ? () => true : isPublicAddress,
  };
  const memory = new AggregationMemory({ store, objects, log, now });
  const jobs: JobService = new JobService({
    store,
    blobs,
    objects,
    objectsFolder: config.dataFolder,
    queue: dispatcher,
    probe: modelProbe(blobs),
    learnt: (entry) => optimizer.tell(entry),
    encrypted,
    aggregation: new JobAggregation({ store, objects, objectsFolder: config.dataFolder, memory, now }),
    submitted,
    checkWebhook: (url) => void checkWebhookUrl(url, webhookRules, "webhook"),
    jobChanged: () => dispatch.wake(),
    log,
    now,
  });
  const { lifecycle } = jobs;
  dispatcher.events.on("batch:completed", ({ jobId, stageId, batch }) => {
    encrypted.batchCompleted(jobId, stageId, batch);
    submitted.batchCompleted(jobId, stageId, batch);
  });
  dispatcher.events.on("lease:granted", ({ jobId }) => lifecycle.leased(jobId));
  dispatcher.events.on("result:accepted", ({ jobId }) => lifecycle.touch(jobId));
  dispatcher.events.on("lease:ended", ({ jobId }) => lifecycle.touch(jobId));
  dispatcher.events.on("stage:completed", ({ jobId }) => lifecycle.stageCompleted(jobId));
  dispatcher.events.on("dispatch:failed", ({ what, error }) => log.error({ err: error, what }, "dispatch failed"));
  dispatcher.events.on("donor:banned", ({ donorId, refused }) => log.warn({ donorId, refused }, "donor banned"));

  const origins = config.publicUrl === null ? [] : [new URL(config.publicUrl).origin];
  const signingKey = await openSigningKey(config.dataFolder);
  const gateway = await openGateway({
    dispatcher,
    store,
    receipts: new ReceiptBook(signingKey),
    admission: {
      allowedOrigins: [...origins, ...config.donorOrigins],
      trustProxy: config.trustProxy,
      socketsPerAddress: config.socketsPerAddress,
    },
    countryOf: await openCountries(config.projectFolder, config.countryFile, log),
  });
  gateway.events.on("socket:failed", ({ error }) => log.error({ err: error }, "a donor's request failed"));

  const services: Services = {
    jobs,
    files: createFileService(store, blobs, now),
    models: createModelService(store, blobs, now),
    datasets: createDatasetService({ store, blobs, objects, objectsFolder: config.dataFolder, now }),
    jobWork: createJobWorkService({ store, countryOf: (id) => dispatcher.session(id)?.view.country ?? null, now }),
    jobRecords: createJobRecordsService({ store, objects }),
    donors: createDonorService(store, dispatcher, now),
    sites: createSiteService(store, dispatcher, now),
    groups: createGroupService({
      store,
      online: dispatcher,
      jobsOpenFor: (groupId) => dispatcher.jobsOpenFor(groupId),
      now,
    }),
  };
  const secure = config.publicUrl?.startsWith("https:") ?? false;
  const access = await openAccess({ store, config, log, now });
  const { connections, audit, admission } = access;
  const uploads = createUploads({ store, files: services.files, folder: config.dataFolder, admission });
  const dispatch: WebhookDispatch = new WebhookDispatch({
    store,
    show: (job) => jobs.show(job),
    rules: webhookRules,
    audit,
    clock: systemClock,
    random: Math.random,
    log,
  });
  const webhooks = new WebhookService({ store, rules: webhookRules, wake: () => dispatch.wake(), audit, now });
  const account = new AccountService({
    store,
    services,
    accounts: access.accounts,
    removeUploads: uploads.removeAll,
    connections,
    audit,
    now,
  });
  const operator = new OperatorService({
    store,
    config,
    jobs,
    account,
    accounts: access.accounts,
    backups: new Backups(config.dataFolder),
    dispatcher,
    openSockets: gateway.openSockets,
    limits: access.limits,
    connections,
    audit,
    now,
  });
  const routes: Route[] = [
    ...fileRoutes(services.files),
    ...modelRoutes(services.models),
    ...datasetRoutes(services.datasets),
    ...jobRoutes(services),
    ...donorRoutes(services.donors),
    ...custodyRoutes(submitted, (caller, job) => jobs.checkSealed(caller, job)),
    ...siteRoutes(services.sites),
    ...groupRoutes(services.groups),
    ...receiptRoutes(signingKey.publicKey),
    ...volunteerRoutes(createVolunteerService(store, now), (request) => gateway.hostOf(request)),
    ...accountRoutes(account),
    ...operatorRoutes({ operator, notReady, publicUrl: config.publicUrl }),
    ...webhookRoutes(webhooks),
    ...accessRoutes({ store, connections, audit, now, secure }),
    ...optimizerRoutes(optimizer),
    ...fleetRoutes(fleet),
    ...metaRoutes(() => document),
  ];
  const document = openApiDocument(routes);
  const rest = createRest({ routes, store, admission, log, now });

  return {
    store,
    blobs,
    objects,
    dispatcher,
    gateway,
    fleet,
    optimizer,
    services,
    routes,
    rest,
    uploads,
    embed: { store, ticketSecret: await loadSecret(store, TICKET_SECRET), now },
    account,
    webhooks,
    operator,
    callers: access.callers,
    connections,
    authHandler: access.authHandler,
    firstKey,
    adminToken: await offerAdminToken(store),
    async resume() {
      const { stages, leases } = await dispatcher.restore();
      if (stages > 0) log.info({ stages, leases }, "took up open stages");
      await lifecycle.resume();
      await dispatch.start();
    },
    async close() {
      access.close();
      operator.close();
      uploads.close();
      const webhooksSent = dispatch.close();
      dispatcher.drain();
      gateway.drain(RECONNECT_AFTER_MS);
      await leasesEnded(dispatcher, DRAIN_LEASES_MS);
      await gateway.close();
      await dispatcher.close();
      await optimizer.stop();
      await lifecycle.settled();
      await webhooksSent;
      await memory.settled();
      await pool.close();
      await lanes.close();
      await store.close();
    },
  };
}

/** Resolves when no lease is held any more, or after `ms`. */
function leasesEnded(dispatcher: Dispatcher, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (dispatcher.leasesHeld === 0) finish();
    };
    const timer = setTimeout(finish, ms);
    const stops = [dispatcher.events.on("lease:ended", check), dispatcher.events.on("result:accepted", check)];
    function finish(): void {
      clearTimeout(timer);
      for (const stop of stops) stop();
      resolve();
    }
    check();
  });
}
