/** A new user's way: sign up, make a key, use it, revoke it, sign out. Needs `npm run build`. */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { FluxClient } from "#lib/client/flux-client.ts";
import { byteRecords, denseModel } from "../support/dense-model.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { switchTheme } from "../support/switch-theme.ts";

const AT_ONCE_MS = 1_000;
const PASSWORD = "nine purple otters";

let server: ServerProcess;
test.beforeAll(async () => {
  server = await startServerProcess();
});
test.afterAll(() => server.close());

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function signUp(page: Page, email: string): Promise<void> {
  await page.goto(`${server.url}/dashboard`);
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.getByLabel("Your name").fill("Ada Example");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign up").click();
  await expect(page.getByRole("link", { name: "New job" }).first()).toBeVisible();
}

/** No violation in either theme, as wide and as narrow as people look at it. */
async function expectAccessible(page: Page): Promise<void> {
  for (const theme of ["light", "dark"] as const) {
    await switchTheme(page, theme);
    for (const viewport of [
      { width: 1280, height: 900 },
      { width: 390, height: 844 },
    ]) {
      await page.setViewportSize(viewport);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations, `${page.url()} ${theme} ${viewport.width}`).toEqual([]);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(wider, `${page.url()} scrolls sideways at ${viewport.width}`).toBeLessThanOrEqual(0);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("a new user signs up, makes a key, uses it, revokes it, and signs out", async ({ page }) => {
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  await signUp(page, "ada@example.org");

  await page.goto(`${server.url}/dashboard/account/keys`);
  await button(page, "New API key").click();
  await page.getByLabel("Name", { exact: true }).fill("Notebook");
  await button(page, "Make the key").click();
  const key = (await page.getByText(/^flux_sk_/).textContent()) ?? "";
  await button(page, "I have it").click();
  await expect(page.getByRole("region", { name: "Keys" })).toContainText("Notebook");
  await expect(page.getByText(key)).toHaveCount(0);

  // The key works, in the account of whoever made it, and holds a stream open.
  const client = new FluxClient({ url: server.url, apiKey: key });
  const modelFile = await client.uploadFile(
    new Blob([denseModel({ features: 4, hidden: 4, classes: 2 })]),
    "m.onnx",
    "model",
  );
  const dataFile = await client.uploadFile(new Blob([byteRecords(8, 4)]), "d.npy", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id });
  const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public", name: "By key" });
  await page.goto(`${server.url}/dashboard/jobs`);
  await expect(page.getByText("By key")).toBeVisible();
  const stream = await fetch(`${server.url}/api/v1/jobs/${job.id}/events`, {
    headers: { Authorization: `Bearer ${key}` },
  });
  const reader = stream.body!.getReader();
  await reader.read();
  const cut = drain(reader);

  await page.goto(`${server.url}/dashboard/account/keys`);
  await button(page, "Revoke Notebook").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  const revokedAt = performance.now();
  await cut;
  expect(performance.now() - revokedAt, "from the click to the end of the stream").toBeLessThan(AT_ONCE_MS);
  await expect(page.getByText("Revoked keys (1)")).toBeVisible();
  await expect(client.job(job.id)).rejects.toThrow(/not valid/);

  await button(page, "Sign out").click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto(`${server.url}/dashboard/jobs`);
  await expect(page.getByText("By key")).toHaveCount(0);
  await page.getByLabel("E-mail address").fill("ada@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign in").click();
  await expect(page).toHaveURL(`${server.url}/dashboard`);
  await page.goto(`${server.url}/dashboard/jobs`);
  await expect(page.getByText("By key")).toBeVisible();
  expect(problems).toEqual([]);
});

test("account pages are accessible in both themes, on desktop and phone", async ({ page }) => {
  test.setTimeout(240_000);
  for (const path of ["/sign-in", "/sign-up", "/forgot-password", "/reset-password?token=x"]) {
    await page.goto(`${server.url}${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expectAccessible(page);
  }
  await signUp(page, "grace@example.org");
  for (const path of ["", "/keys", "/webhooks"]) {
    await page.goto(`${server.url}/dashboard/account${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expectAccessible(page);
  }
  await button(page, "New webhook").click();
  await page.getByLabel("Address").fill("https://127.0.0.1/hook");
  await button(page, "Set it up").click();
  await expect(page.getByText("127.0.0.1 is not an address of the public internet")).toBeVisible();
  await expectAccessible(page);
});

test("the admin link makes the operator, whose pages are accessible and nobody else's", async ({ page, browser }) => {
  test.setTimeout(240_000);
  await page.goto(server.adminLink);
  await page.getByLabel("Your name").fill("Olga Operator");
  await page.getByLabel("E-mail address").fill("olga@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await button(page, "Sign up").click();
  await expect(page.getByRole("heading", { name: "Health" })).toBeVisible();
  await page.goto(`${server.url}/operator/backup`);
  await button(page, "Make a backup").click();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: /^Download flux-/ }).click();
  expect((await download).suggestedFilename()).toMatch(/^flux-.*\.sqlite$/);
  for (const path of ["", "/queue", "/donors", "/accounts", "/abuse", "/audit", "/config", "/backup"]) {
    await page.goto(`${server.url}/operator${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expectAccessible(page);
  }
  const other = await (await browser.newContext()).newPage();
  await signUp(other, "other@example.org");
  const response = await other.goto(`${server.url}/operator/audit`);
  expect(response?.status()).toBe(404);
  await expect(other.getByText("olga@example.org")).toHaveCount(0);
});

test("an account is deleted with its password", async ({ page }) => {
  await signUp(page, "gone@example.org");
  await page.goto(`${server.url}/dashboard/account`);
  await button(page, "Delete the account…").click();
  await page.getByLabel("Your password").fill("wrong password");
  await button(page, "Delete everything").click();
  await expect(page.getByRole("alert")).toContainText("Give your password");
  await page.getByLabel("Your password").fill(PASSWORD);
  await button(page, "Delete everything").click();
  await expect(page).toHaveURL(`${server.url}/`);
  await page.goto(`${server.url}/dashboard`);
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // Cut off: that is what is waited for.
  }
}
