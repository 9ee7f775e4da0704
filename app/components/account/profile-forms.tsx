"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { postJson } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { Checkbox } from "../ui/switch.tsx";
import { showToast } from "../ui/toast.tsx";
import { PASSWORD_HINT } from "./sign-up-form.tsx";
import { useSubmit } from "./use-submit.ts";

export function NameForm({ name }: { name: string }) {
  const router = useRouter();
  const { busy, problem, onSubmit } = useSubmit(async (fields) => {
    await postJson("/api/auth/update-user", { name: fields.name });
    showToast({ title: "Saved", tone: "good" });
    router.refresh();
  });
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.25rem]">Profile</h2>
      <form onSubmit={onSubmit} className="mt-4 grid gap-4">
        <TextField label="Your name" name="name" required maxLength={120} defaultValue={name} autoComplete="name" />
        {problem ? <Notice tone="bad" title={problem} /> : null}
        <Button type="submit" kind="quiet" disabled={busy} className="justify-self-start">
          Save
        </Button>
      </form>
    </Card>
  );
}

export function PasswordForm() {
  const router = useRouter();
  const [others, setOthers] = useState(true);
  const [version, setVersion] = useState(0);
  const { busy, problem, onSubmit } = useSubmit(async ({ currentPassword, newPassword }) => {
    await postJson("/api/auth/change-password", { currentPassword, newPassword, revokeOtherSessions: others });
    showToast({ title: "Your password is changed", tone: "good" });
    setVersion((before) => before + 1);
    router.refresh();
  });
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.25rem]">Password</h2>
      <form key={version} onSubmit={onSubmit} className="mt-4 grid gap-4">
        <TextField
          label="Current password"
          name="currentPassword"
          type="password"
          required
          autoComplete="current-password"
        />
        <TextField
          label="New password"
          name="newPassword"
          type="password"
          required
          minLength={ACCOUNT_LIMITS.passwordCharsMin}
          autoComplete="new-password"
          hint={PASSWORD_HINT}
        />
        <Checkbox label="Sign out everywhere else" checked={others} onChange={setOthers} />
        {problem ? <Notice tone="bad" title={problem} /> : null}
        <Button type="submit" kind="quiet" disabled={busy} className="justify-self-start">
          Change the password
        </Button>
      </form>
    </Card>
  );
}

export function DeleteAccount({ hasPassword }: { hasPassword: boolean }) {
  const { busy, problem, onSubmit } = useSubmit(async ({ password }) => {
    await postJson("/api/v1/account/delete", hasPassword ? { password } : {});
    location.assign("/");
  });
  return (
    <section aria-labelledby="delete" className="mt-9 rounded-lg border border-bad p-5 sm:p-6">
      <h2 id="delete" className="text-[1.25rem]">
        Delete the account
      </h2>
      <p className="mt-1 max-w-2xl text-ink-2">
        Your jobs end, and your files, models, datasets, results, keys and webhooks are deleted. Nobody can bring them
        back.
      </p>
      <div className="mt-4">
        <Dialog
          title="Delete your account?"
          description="With everything in it. This cannot be undone."
          trigger={<Button kind="danger">Delete the account…</Button>}
        >
          <form onSubmit={onSubmit} className="grid gap-4">
            {hasPassword ? (
              <TextField
                label="Your password"
                name="password"
                type="password"
                required
                autoComplete="current-password"
              />
            ) : null}
            {problem ? <Notice tone="bad" title={problem} /> : null}
            <Button type="submit" kind="danger" disabled={busy}>
              {busy ? "Deleting…" : "Delete everything"}
            </Button>
          </form>
        </Dialog>
      </div>
    </section>
  );
}
