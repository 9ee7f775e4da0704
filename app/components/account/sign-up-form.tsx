"use client";
/** An account of one's own; with the operator's admin link, the first admin's. */
import { useEffect, useState } from "react";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { call } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { useSubmit } from "./use-submit.ts";

export const PASSWORD_HINT = `At least ${ACCOUNT_LIMITS.passwordCharsMin} characters. Several words are good.`;

export function SignUpForm({ next, open }: { next: string; open: boolean }) {
  const adminToken = useAdminToken();
  const { busy, problem, param, onSubmit } = useSubmit(async ({ name, email, password }) => {
    await call("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(adminToken ? { "Flux-Admin-Token": adminToken } : {}) },
      body: JSON.stringify({ name, email, password }),
    });
    location.assign(adminToken ? "/operator" : next);
  });
  const errorOf = (field: string) => (param === field ? problem : null);

  if (!open && !adminToken) {
    return (
      <>
        <PageHeader title="Sign up" />
        <Notice tone="info" title="This server takes no new accounts.">
          Ask its operator for an API key, and <SignInLink next={next}>sign in</SignInLink> with it.
        </Notice>
      </>
    );
  }
  return (
    <>
      <PageHeader title={adminToken ? "The admin’s account" : "Sign up"}>
        {adminToken ? (
          "Whoever fills this in operates this server: its accounts, donors, and backups."
        ) : (
          <>
            Have an account? <SignInLink next={next}>Sign in</SignInLink>
          </>
        )}
      </PageHeader>
      <Card className="p-5 sm:p-6">
        <form onSubmit={onSubmit} className="grid gap-4">
          <TextField
            label="Your name"
            name="name"
            required
            maxLength={120}
            autoComplete="name"
            error={errorOf("name")}
          />
          <TextField
            label="E-mail address"
            name="email"
            type="email"
            required
            autoComplete="username"
            error={errorOf("email")}
          />
          <TextField
            label="Password"
            name="password"
            type="password"
            required
            minLength={ACCOUNT_LIMITS.passwordCharsMin}
            maxLength={ACCOUNT_LIMITS.passwordCharsMax}
            autoComplete="new-password"
            hint={PASSWORD_HINT}
            error={errorOf("password")}
          />
          {problem && !["name", "email", "password"].includes(param ?? "") ? (
            <Notice tone="bad" title={problem} />
          ) : null}
          <Button type="submit" disabled={busy}>
            {busy ? "Signing up…" : "Sign up"}
          </Button>
        </form>
      </Card>
    </>
  );
}

function SignInLink({ next, children }: { next: string; children: string }) {
  return (
    <a className="link" href={`/sign-in?next=${encodeURIComponent(next)}`}>
      {children}
    </a>
  );
}

/** Stands behind the #, so that it ends in no server's log. */
function useAdminToken(): string | null {
  const [token, setToken] = useState<string | null>(null);
  useEffect(() => setToken(/^#admin=([\w-]+)$/.exec(location.hash)?.[1] ?? null), []);
  return token;
}
