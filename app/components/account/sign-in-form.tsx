"use client";
import { z } from "zod";
import { postJson } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { useSubmit } from "./use-submit.ts";

export interface SignInFormProps {
  /** Where to go on to. */
  readonly next: string;
  readonly providers: readonly { readonly id: string; readonly name: string }[];
  /** Whether this server takes new accounts. */
  readonly signUp: boolean;
}

const Redirect = z.object({ url: z.string() });

export function SignInForm({ next, providers, signUp }: SignInFormProps) {
  const { busy, problem, onSubmit } = useSubmit(async ({ email, password }) => {
    await postJson("/api/auth/sign-in/email", { email, password });
    location.assign(next);
  });
  return (
    <>
      <PageHeader title="Sign in">
        {signUp ? (
          <>
            New here?{" "}
            <a className="link" href={`/sign-up?next=${encodeURIComponent(next)}`}>
              Sign up
            </a>
          </>
        ) : null}
      </PageHeader>
      <Card className="p-5 sm:p-6">
        <form onSubmit={onSubmit} className="grid gap-4">
          <TextField label="E-mail address" name="email" type="email" required autoComplete="username" />
          <TextField label="Password" name="password" type="password" required autoComplete="current-password" />
          {problem ? <Notice tone="bad" title={problem} /> : null}
          <Button type="submit" disabled={busy}>
            {busy ? "Signing in…" : "Sign in"}
          </Button>
          <a className="link justify-self-start" href="/forgot-password">
            Forgot your password?
          </a>
        </form>
        {providers.length > 0 ? <Providers providers={providers} next={next} /> : null}
      </Card>
      <details className="mt-6 rounded-lg border border-line px-5 py-3.5 open:pb-5">
        <summary className="text-ink-2">Use an API key instead</summary>
        <WithKey next={next} />
      </details>
    </>
  );
}

function Providers({ providers, next }: Pick<SignInFormProps, "providers" | "next">) {
  const { busy, problem, onSubmit } = useSubmit(async ({ provider }) => {
    const answer = await postJson("/api/auth/sign-in/social", { provider, callbackURL: next });
    location.assign(Redirect.parse(answer).url);
  });
  return (
    <div className="mt-5 grid gap-2.5 border-t border-line pt-5">
      {providers.map(({ id, name }) => (
        <form key={id} onSubmit={onSubmit} className="grid">
          <input type="hidden" name="provider" value={id} />
          <Button type="submit" kind="quiet" disabled={busy}>
            Sign in with {name}
          </Button>
        </form>
      ))}
      {problem ? <Notice tone="bad" title={problem} /> : null}
    </div>
  );
}

/** The key goes into a cookie that scripts cannot read. */
function WithKey({ next }: { next: string }) {
  const { busy, problem, onSubmit } = useSubmit(async ({ key }) => {
    await postJson("/api/v1/session", { key });
    location.assign(next);
  });
  return (
    <form onSubmit={onSubmit} className="mt-4 grid gap-4">
      <TextField
        label="API key"
        name="key"
        type="password"
        required
        mono
        autoComplete="off"
        placeholder="flux_sk_…"
        hint="The first one is printed where the server was started for the first time."
      />
      {problem ? <Notice tone="bad" title={problem} /> : null}
      <Button type="submit" kind="quiet" disabled={busy}>
        {busy ? "Signing in…" : "Sign in with the key"}
      </Button>
    </form>
  );
}
