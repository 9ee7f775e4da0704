"use client";
import { useState } from "react";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { postJson } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { PASSWORD_HINT } from "./sign-up-form.tsx";
import { useSubmit } from "./use-submit.ts";

export function ForgotPasswordForm() {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const { busy, problem, onSubmit } = useSubmit(async ({ email = "" }) => {
    await postJson("/api/auth/request-password-reset", { email });
    setSentTo(email);
  });
  return (
    <>
      <PageHeader title="Forgot your password?">You get a link by mail with which you set a new one.</PageHeader>
      {sentTo ? (
        <Notice tone="info" title={`If ${sentTo} has an account here, a mail is on its way.`}>
          The link works for an hour.
        </Notice>
      ) : (
        <Card className="p-5 sm:p-6">
          <form onSubmit={onSubmit} className="grid gap-4">
            <TextField label="E-mail address" name="email" type="email" required autoComplete="username" />
            {problem ? <Notice tone="bad" title={problem} /> : null}
            <Button type="submit" disabled={busy}>
              Send the link
            </Button>
          </form>
        </Card>
      )}
    </>
  );
}

export function ResetPasswordForm({ token }: { token: string }) {
  const { busy, problem, onSubmit } = useSubmit(async ({ newPassword }) => {
    await postJson("/api/auth/reset-password", { newPassword, token });
    location.assign("/sign-in");
  });
  return (
    <>
      <PageHeader title="New password">You are signed out everywhere when it is set.</PageHeader>
      <Card className="p-5 sm:p-6">
        <form onSubmit={onSubmit} className="grid gap-4">
          <TextField
            label="New password"
            name="newPassword"
            type="password"
            required
            minLength={ACCOUNT_LIMITS.passwordCharsMin}
            autoComplete="new-password"
            hint={PASSWORD_HINT}
          />
          {problem ? <Notice tone="bad" title={problem} /> : null}
          <Button type="submit" disabled={busy}>
            Set the password
          </Button>
        </form>
      </Card>
    </>
  );
}
