import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "#tests/support/page-table.ts";

const APP = resolve(import.meta.dirname, "../../../app");

/** `/dashboard/jobs/[job]` for app/dashboard/jobs/[job]/page.tsx; folders in brackets are no part of the address. */
function routes(): string[] {
  return readdirSync(APP, { recursive: true, encoding: "utf8" })
    .filter((path) => /(^|\/)page\.tsx$/.test(path))
    .map((path) => join("/", dirname(path)).replace(/\/\(\w+\)/g, ""))
    .map((path) => (path === "" ? "/" : path));
}

const pattern = (route: string) =>
  new RegExp(`^${route.replace(/\/\[\.\.\.\w+\]/, "/.+").replace(/\[\w+\]/g, "[^/]+")}$`);

test("every page of the app is in the table that accessibility, quietness and screenshots are checked by", () => {
  const listed = PAGES.map(({ path }) => path.split("?")[0] ?? "");
  // Whoever is not signed in sees it in place of the dashboard.
  const elsewhere = new Set(["/sign-in"]);
  expect(routes().length).toBeGreaterThan(20);
  const missing = routes().filter(
    (route) => !elsewhere.has(route) && !listed.some((path) => pattern(route).test(path)),
  );
  expect(missing).toEqual([]);
});
