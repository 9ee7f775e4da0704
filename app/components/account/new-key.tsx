"use client";
/** Makes an API key and shows it, once. */
import { useRouter } from "next/navigation";
import { useState } from "react";
import { NewApiKey, type Scope } from "#lib/protocol/api/access.ts";
import { postJson } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { Checkbox } from "../ui/switch.tsx";
import { useSubmit } from "./use-submit.ts";

const MEANS: Readonly<Record<Scope, string>> = {
  "jobs:read": "See files, models, datasets, jobs and results",
  "jobs:write": "Upload, submit, cancel, delete",
  account: "Manage the account’s keys and webhooks",
  admin: "Operate this server, and everything else",
};
const USUAL: readonly Scope[] = ["jobs:read", "jobs:write"];

export function NewKey({ scopes }: { scopes: readonly Scope[] }) {
  const router = useRouter();
  const [open, setOpen] = useState(false);
  const [key, setKey] = useState<string | null>(null);
  const [chosen, setChosen] = useState<readonly Scope[]>(USUAL);
  const { busy, problem, onSubmit } = useSubmit(async ({ name }) => {
    setKey(NewApiKey.parse(await postJson("/api/v1/keys", { name, scopes: chosen })).key);
  });
  function show(next: boolean) {
    setOpen(next);
    if (next) setChosen(USUAL);
    // Not before: the page that is shown anew must not take the key away.
    else if (key) {
      setKey(null);
      router.refresh();
    }
  }
  return (
    <Dialog
      title={key ? "Your new key" : "New API key"}
      trigger={<Button>New API key</Button>}
      open={open}
      onOpenChange={show}
    >
      {key ? (
        <div className="grid gap-4">
          <Notice tone="info" title="Copy it now: it is shown this once.">
            Only its fingerprint is kept here.
          </Notice>
          <CodeBlock text={key} label="Copy the key" />
          <Button kind="quiet" onClick={() => show(false)}>
            I have it
          </Button>
        </div>
      ) : (
        <form onSubmit={onSubmit} className="grid gap-4">
          <TextField label="Name" name="name" required maxLength={120} placeholder="CI" autoComplete="off" />
          <fieldset className="grid gap-2.5">
            <legend className="mb-1 text-[0.95rem] font-[560]">What it may do</legend>
            {scopes.map((scope) => (
              <Checkbox
                key={scope}
                label={<span className="number text-[0.93rem]">{scope}</span>}
                hint={MEANS[scope]}
                checked={chosen.includes(scope)}
                onChange={(on) => setChosen(scopes.filter((each) => (each === scope ? on : chosen.includes(each))))}
              />
            ))}
          </fieldset>
          {problem ? <Notice tone="bad" title={problem} /> : null}
          <Button type="submit" disabled={busy || chosen.length === 0}>
            Make the key
          </Button>
        </form>
      )}
    </Dialog>
  );
}
