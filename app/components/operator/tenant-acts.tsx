"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { z } from "zod";
import type { TenantResource } from "#lib/protocol/api/operator.ts";
import { useSubmit } from "../account/use-submit.ts";
import { call, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { showToast } from "../ui/toast.tsx";

const FIELDS = [
  { name: "jobs", label: "Jobs" },
  { name: "concurrent_jobs", label: "Jobs that have not ended" },
  { name: "files", label: "Files" },
  { name: "bytes", label: "Bytes of files" },
] as const;

export function QuotaDialog({ tenant }: { tenant: TenantResource }) {
  const router = useRouter();
  const [open, setOpen] = useState(false);
  const { busy, problem, onSubmit } = useSubmit(async (fields) => {
    const filled = FIELDS.filter(({ name }) => fields[name]?.trim());
    const quotas = Object.fromEntries(filled.map(({ name }) => [name, Number(fields[name])]));
    await call(`/api/v1/operator/tenants/${tenant.id}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ quotas }),
    });
    setOpen(false);
    showToast({ title: "The quotas are set", tone: "good" });
    router.refresh();
  });
  return (
    <Dialog
      title={`Quotas of ${tenant.name}`}
      description="What is left empty is as for everybody."
      open={open}
      onOpenChange={setOpen}
      trigger={
        <Button kind="quiet" size="small" aria-label={`Quotas of ${tenant.name}`}>
          Quotas
        </Button>
      }
    >
      <form onSubmit={onSubmit} className="grid gap-4">
        {FIELDS.map(({ name, label }) => (
          <TextField
            key={name}
            label={label}
            name={name}
            inputMode="numeric"
            pattern="[0-9]*"
            mono
            defaultValue={tenant.quotas[name] ?? ""}
            hint={`now ${tenant.usage[name].limit.toLocaleString("en")}`}
          />
        ))}
        {problem ? <Notice tone="bad" title={problem} /> : null}
        <Button type="submit" disabled={busy}>
          Set the quotas
        </Button>
      </form>
    </Dialog>
  );
}

const Link = z.object({ url: z.string() });

export function ResetLink({ user, name }: { user: string; name: string }) {
  const [url, setUrl] = useState<string | null>(null);
  async function make() {
    try {
      setUrl(Link.parse(await call(`/api/v1/operator/people/${user}/reset-link`, { method: "POST" })).url);
    } catch (error) {
      showToast({ title: "No link was made", detail: problemText(error), tone: "bad" });
    }
  }
  return (
    <>
      <Button kind="bare" size="small" aria-label={`Password link for ${name}`} onClick={() => void make()}>
        Password link
      </Button>
      <Dialog
        title={`A new password for ${name}`}
        description="Give them this link, by a way that nobody else reads. It works once, for a day."
        open={url !== null}
        onOpenChange={() => setUrl(null)}
      >
        <CodeBlock text={url ?? ""} label="Copy the link" />
      </Dialog>
    </>
  );
}
