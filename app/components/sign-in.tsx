"use client";
/** Signs this browser in with an API key; the key goes into a cookie that scripts cannot read. */
import { type FormEvent, useState } from "react";
import { postJson, problemText } from "./api.ts";
import { Button } from "./ui/button.tsx";
import { Card } from "./ui/card.tsx";
import { Notice } from "./ui/notice.tsx";

export function SignIn() {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = new FormData(event.currentTarget).get("key");
    setBusy(true);
    setProblem(null);
    try {
      await postJson("/api/v1/session", { key });
      location.reload();
    } catch (error) {
      setProblem(problemText(error));
      setBusy(false);
    }
  }

  return (
    <div className="mx-auto max-w-lg px-4 pt-14 sm:px-6">
      <h1 className="text-[2rem]">Sign in</h1>
      <p className="mt-2 text-ink-2">
        Use an API key of this server. The first one is printed where the server was started for the first time.
      </p>
      <Card className="mt-6 p-5 sm:p-6">
        <form onSubmit={submit} className="grid gap-4">
          <label className="grid gap-1.5">
            <span className="font-[560]">API key</span>
            <input
              name="key"
              type="password"
              required
              autoComplete="current-password"
              placeholder="flux_sk_…"
              className="number min-h-11 w-full rounded-md border border-line-strong bg-paper px-3 placeholder:text-ink-3"
            />
          </label>
          {problem ? <Notice tone="bad" title={problem} /> : null}
          <Button type="submit" disabled={busy}>
            {busy ? "Signing in…" : "Sign in"}
          </Button>
        </form>
      </Card>
    </div>
  );
}
