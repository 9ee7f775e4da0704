/**
 * Every page that people meet, once: the accessibility test, the checks of every page and the screenshots walk this table. Add a line
 * for a new page; `{job}` and the like are filled with what tests/support/seeded-site.ts made.
 */
export interface PageEntry {
  /** Of its screenshot. */
  readonly name: string;
  readonly path: string;
  /** Who looks: nobody in particular, or who signed in with the server's first key: submitter and operator. */
  readonly as: "anyone" | "submitter";
}

export const PAGES: readonly PageEntry[] = [
  { name: "landing", path: "/", as: "anyone" },
  { name: "how-it-works", path: "/how-it-works", as: "anyone" },
  { name: "donate", path: "/donate", as: "anyone" },
  { name: "docs", path: "/docs", as: "anyone" },
  { name: "docs-privacy", path: "/docs/privacy", as: "anyone" },
  { name: "docs-embed", path: "/docs/embed", as: "anyone" },
  { name: "docs-aggregation", path: "/docs/aggregation", as: "anyone" },
  { name: "docs-formats", path: "/docs/formats", as: "anyone" },
  { name: "docs-scheduling", path: "/docs/scheduling", as: "anyone" },
  { name: "docs-errors", path: "/docs/errors", as: "anyone" },
  { name: "not-found", path: "/nothing-here", as: "anyone" },
  { name: "sign-in", path: "/dashboard", as: "anyone" },
  { name: "sign-up", path: "/sign-up", as: "anyone" },
  { name: "forgot-password", path: "/forgot-password", as: "anyone" },
  { name: "reset-password", path: "/reset-password?token=from-a-mail", as: "anyone" },
  { name: "overview", path: "/dashboard", as: "submitter" },
  { name: "jobs", path: "/dashboard/jobs", as: "submitter" },
  { name: "models", path: "/dashboard/models", as: "submitter" },
  { name: "data", path: "/dashboard/data", as: "submitter" },
  { name: "sites", path: "/dashboard/sites", as: "submitter" },
  { name: "groups", path: "/dashboard/groups", as: "submitter" },
  { name: "new-job", path: "/dashboard/new", as: "submitter" },
  { name: "job-completed", path: "/dashboard/jobs/{completedJob}", as: "submitter" },
  { name: "job-encrypted", path: "/dashboard/jobs/{encryptedJob}", as: "submitter" },
  { name: "job-waiting", path: "/dashboard/jobs/{waitingJob}", as: "submitter" },
  { name: "job-canceled", path: "/dashboard/jobs/{canceledJob}", as: "submitter" },
  { name: "job-not-found", path: "/dashboard/jobs/job_00000000000000000000", as: "submitter" },
  { name: "account", path: "/dashboard/account", as: "submitter" },
  { name: "keys", path: "/dashboard/account/keys", as: "submitter" },
  { name: "webhooks", path: "/dashboard/account/webhooks", as: "submitter" },
  { name: "operator", path: "/operator", as: "submitter" },
  { name: "operator-queue", path: "/operator/queue", as: "submitter" },
  { name: "operator-donors", path: "/operator/donors", as: "submitter" },
  { name: "operator-accounts", path: "/operator/accounts", as: "submitter" },
  { name: "operator-abuse", path: "/operator/abuse", as: "submitter" },
  { name: "operator-audit", path: "/operator/audit", as: "submitter" },
  { name: "operator-config", path: "/operator/config", as: "submitter" },
  { name: "operator-backup", path: "/operator/backup", as: "submitter" },
];

export type Things = Readonly<Record<string, string>>;

export function pathOf({ path }: PageEntry, things: Things): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => {
    const thing = things[name];
    if (thing === undefined) throw new Error(`the seeded site has no ${name}`);
    return thing;
  });
}
