"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { ENDING_EVENTS, WebhookEvent, WebhookSecret } from "#lib/protocol/api/webhooks.ts";
import { call, postJson, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { Checkbox } from "../ui/switch.tsx";
import { showToast } from "../ui/toast.tsx";
import { useSubmit } from "./use-submit.ts";

export function NewWebhookForm() {
  const router = useRouter();
  const [open, setOpen] = useState(false);
  const [events, setEvents] = useState<readonly WebhookEvent[]>(ENDING_EVENTS);
  const { busy, problem, onSubmit } = useSubmit(async ({ url, description }) => {
    await postJson("/api/v1/webhooks", { url, description, events });
    setOpen(false);
    showToast({ title: "The webhook is set up", tone: "good" });
    router.refresh();
  });
  return (
    <Dialog title="New webhook" trigger={<Button>New webhook</Button>} open={open} onOpenChange={setOpen}>
      <form onSubmit={onSubmit} className="grid gap-4">
        <TextField
          label="Address"
          name="url"
          type="url"
          required
          placeholder="https://example.com/flux"
          hint="On the public internet, by https."
          error={problem}
        />
        <TextField label="What it is for" name="description" maxLength={200} autoComplete="off" />
        <fieldset className="grid gap-2">
          <legend className="mb-1 text-[0.95rem] font-[560]">Events</legend>
          {WebhookEvent.options.map((event) => (
            <Checkbox
              key={event}
              label={<span className="number text-[0.93rem]">{event}</span>}
              checked={events.includes(event)}
              onChange={(on) =>
                setEvents(WebhookEvent.options.filter((each) => (each === event ? on : events.includes(each))))
              }
            />
          ))}
        </fieldset>
        <Button type="submit" disabled={busy || events.length === 0}>
          Set it up
        </Button>
      </form>
    </Dialog>
  );
}

/** Fetched when it is asked for: it stands in no page that is only looked at. */
export function ShowSecret({ path, name }: { path: string; name: string }) {
  const [secret, setSecret] = useState<string | null>(null);
  async function show() {
    try {
      setSecret(WebhookSecret.parse(await call(path)).secret);
    } catch (error) {
      showToast({ title: "The secret could not be fetched", detail: problemText(error), tone: "bad" });
    }
  }
  return (
    <>
      <Button kind="quiet" size="small" onClick={() => void show()}>
        {name}
      </Button>
      <Dialog title="Signing secret" open={secret !== null} onOpenChange={() => setSecret(null)}>
        <div className="grid gap-4">
          <CodeBlock text={secret ?? ""} label="Copy the secret" />
          <Notice tone="info" title="Check every delivery with it.">
            <code className="number">verifyWebhook</code> of the SDK does, and so does every library of Standard
            Webhooks.
          </Notice>
        </div>
      </Dialog>
    </>
  );
}
