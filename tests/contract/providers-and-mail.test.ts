/**
 * What leads out of an account: signing in by a provider, and mail. The provider is played by answers to the very requests that
 * its real servers would get; mail goes to a hook on this machine.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { freePort } from "#tests/support/killable-coordinator.ts";
import { PASSWORD, Person } from "#tests/support/person.ts";
import { startWebhookReceiver, type WebhookReceiver } from "#tests/support/webhook-receiver.ts";

const CLIENT = { id: "flux-client", secret: "between-us" };
const Mail = z.object({ to: z.string(), subject: z.string(), text: z.string() });

let hook: WebhookReceiver;
let coordinator: TestCoordinator;
beforeAll(async () => {
  hook = await startWebhookReceiver();
  const port = await freePort();
  coordinator = await startTestCoordinator({
    PORT: String(port),
    FLUX_PUBLIC_URL: `http://127.0.0.1:${port}`,
    FLUX_OAUTH_GITHUB: `${CLIENT.id}:${CLIENT.secret}`,
    FLUX_MAIL_HOOK: `${hook.url}/mail`,
    FLUX_MAIL_TOKEN: "hook-token",
    FLUX_RATE_SCALE: "100",
  });
});
afterEach(() => vi.unstubAllGlobals());
afterAll(async () => {
  await coordinator.close();
  await hook.close();
});

interface Profile {
  readonly id: number;
  readonly login: string;
  readonly name: string;
  readonly email: string;
  readonly verified: boolean;
}

/** Answers in the provider's place; everything else goes where it goes. @returns what the provider was asked */
function playProvider(profile: Profile, code: string): { url: string; body: string }[] {
  const asked: { url: string; body: string }[] = [];
  const real = globalThis.fetch;
  vi.stubGlobal("fetch", async (input: Request | URL | string, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!url.hostname.endsWith("github.com")) return real(input, init);
    const body = String(init?.body ?? "");
    asked.push({ url: url.href, body });
    switch (url.pathname) {
      case "/login/oauth/access_token":
        return new URLSearchParams(body).get("code") === code
          ? Response.json({ access_token: "provider-token", token_type: "bearer", scope: "user:email" })
          : Response.json({ error: "bad_verification_code" });
      case "/user":
        return Response.json({ ...profile, avatar_url: "" });
      case "/user/emails":
        return Response.json([{ email: profile.email, primary: true, verified: profile.verified, visibility: null }]);
      default:
        return new Response(null, { status: 404 });
    }
  });
  return asked;
}

/** As the sign-in page does. @returns the provider's address */
async function begin(person: Person): Promise<URL> {
  const answer = await person.ask("POST", "/api/auth/sign-in/social", {
    provider: "github",
    callbackURL: "/dashboard",
  });
  expect(answer.status).toBe(200);
  return new URL(String(answer.body.url));
}

const comeBack = (person: Person, state: string | null, code: string) =>
  person.fetch(`/api/auth/callback/github?${new URLSearchParams({ code, state: state ?? "" })}`);

describe("signing in by a provider", () => {
  const ada: Profile = { id: 7, login: "ada", name: "Ada Example", email: "ada@example.org", verified: true };

  it("makes an account of one's own, and is the same account the next time", async () => {
    const accounts: unknown[] = [];
    for (let time = 0; time < 2; time++) {
      const asked = playProvider(ada, "one-time-code");
      const person = new Person(coordinator.url);
      const provider = await begin(person);
      expect(provider.host).toBe("github.com");
      expect(provider.searchParams.get("client_id")).toBe(CLIENT.id);
      expect(provider.searchParams.get("redirect_uri")).toBe(`${coordinator.url}/api/auth/callback/github`);
      expect(provider.href).not.toContain(CLIENT.secret);
      const back = await comeBack(person, provider.searchParams.get("state"), "one-time-code");
      expect(back.status).toBe(302);
      expect(back.headers.get("location")).toMatch(/\/dashboard$/);
      expect(asked[0]?.body).toContain(encodeURIComponent(CLIENT.secret));
      const account = await person.ask("GET", "/api/v1/account");
      expect(account.body).toMatchObject({ person: { email: ada.email, role: "member", has_password: false } });
      accounts.push(account.body.tenant);
      vi.unstubAllGlobals();
    }
    expect(accounts[0]).toBe(accounts[1]);
  });

  it("signs nobody in with a state of somebody else's, without one, or with a code that the provider refuses", async () => {
    playProvider({ ...ada, id: 8, email: "eve@example.org" }, "one-time-code");
    const begun = new Person(coordinator.url);
    const state = (await begin(begun)).searchParams.get("state");
    const tries = [
      { who: new Person(coordinator.url), state, code: "one-time-code" },
      { who: new Person(coordinator.url), state: null, code: "one-time-code" },
      { who: begun, state, code: "guessed" },
    ];
    for (const { who, state: given, code } of tries) {
      const back = await comeBack(who, given, code);
      expect(back.status).not.toBe(500);
      expect(back.headers.get("location") ?? "").not.toMatch(/\/dashboard$/);
      expect((await who.ask("GET", "/api/v1/account")).status).toBe(401);
    }
  });

  it("does not take over the account of an address that the provider has not verified", async () => {
    const owner = new Person(coordinator.url);
    expect((await owner.signUp("grace@example.org")).status).toBe(200);
    playProvider({ id: 9, login: "mallory", name: "M", email: "grace@example.org", verified: false }, "c");
    const mallory = new Person(coordinator.url);
    const state = (await begin(mallory)).searchParams.get("state");
    await comeBack(mallory, state, "c");
    expect((await mallory.ask("GET", "/api/v1/account")).status).toBe(401);
  });

  it("is refused with words for a provider that is not set up", async () => {
    const person = new Person(coordinator.url);
    const answer = await person.ask("POST", "/api/auth/sign-in/social", { provider: "gitlab", callbackURL: "/" });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  });
});

describe("mail", () => {
  it("goes to the operator's hook, under its token: an address is confirmed, and a forgotten password set anew", async () => {
    const person = new Person(coordinator.url);
    const before = hook.received.length;
    expect((await person.signUp("kim@example.org")).status).toBe(200);
    const confirm = await hook.nth(before + 1);
    expect(confirm.path).toBe("/mail");
    expect(confirm.headers.authorization).toBe("Bearer hook-token");
    const mail = Mail.parse(JSON.parse(confirm.body));
    expect(mail.to).toBe("kim@example.org");
    const link = linkIn(mail.text);
    expect(link.origin).toBe(coordinator.url);
    expect((await person.fetch(`${link.pathname}${link.search}`)).status).toBeLessThan(400);

    const elsewhere = new Person(coordinator.url);
    const asked = await elsewhere.ask("POST", "/api/auth/request-password-reset", { email: "kim@example.org" });
    expect(asked.status).toBe(200);
    const reset = Mail.parse(JSON.parse((await hook.nth(before + 2)).body));
    const page = linkIn(reset.text);
    expect(page.pathname).toBe("/reset-password");
    const token = page.searchParams.get("token");
    const newPassword = "seven green herons";
    expect((await elsewhere.ask("POST", "/api/auth/reset-password", { newPassword, token })).status).toBe(200);
    expect((await elsewhere.signIn("kim@example.org", PASSWORD)).status).toBe(401);
    expect((await elsewhere.signIn("kim@example.org", newPassword)).status).toBe(200);
    expect((await person.ask("GET", "/api/v1/account")).status, "older sessions have ended").toBe(401);
    const again = await elsewhere.ask("POST", "/api/auth/reset-password", { newPassword: PASSWORD, token });
    expect(again.status, "a link counts once").toBeGreaterThanOrEqual(400);
  });

  it("says the same of an address that nobody has, and sends nothing", async () => {
    const before = hook.received.length;
    const person = new Person(coordinator.url);
    expect((await person.ask("POST", "/api/auth/request-password-reset", { email: "no@example.org" })).status).toBe(
      200,
    );
    // What would have been sent is sent before this one.
    await person.signUp("last@example.org");
    expect(Mail.parse(JSON.parse((await hook.nth(before + 1)).body)).to).toBe("last@example.org");
  });
});

function linkIn(text: string): URL {
  return new URL(/https?:\/\/\S+/.exec(text)?.[0] ?? "");
}
