"use client";
/** A name, for sites some origins, and the thing is there. */
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { postJson, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextArea, TextField } from "../ui/field.tsx";

export function NewSite() {
  return (
    <CreateDialog
      text="New site"
      path="/api/v1/sites"
      nameHint="Visitors are asked in its name."
      bodyOf={(form) => ({
        name: form.get("name"),
        origins: String(form.get("origins") ?? "")
          .split(/[\s,]+/)
          .filter(Boolean),
      })}
      withOrigins
    />
  );
}

export function NewGroup() {
  return (
    <CreateDialog
      text="New group"
      path="/api/v1/groups"
      nameHint="Members see it, e.g. “Physics lab, room 12”."
      bodyOf={(form) => ({ name: form.get("name") })}
    />
  );
}

interface CreateDialogProps {
  readonly text: string;
  readonly path: string;
  readonly nameHint: string;
  readonly bodyOf: (form: FormData) => object;
  readonly withOrigins?: boolean;
}

function CreateDialog({ text, path, nameHint, bodyOf, withOrigins = false }: CreateDialogProps) {
  const router = useRouter();
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const body = bodyOf(new FormData(event.currentTarget));
    setBusy(true);
    setProblem(null);
    try {
      await postJson(path, body);
      setOpen(false);
      router.refresh();
    } catch (error) {
      setProblem(problemText(error));
    }
    setBusy(false);
  }

  return (
    <Dialog title={text} open={open} onOpenChange={setOpen} trigger={<Button>{text}</Button>}>
      <form onSubmit={submit} className="grid gap-4">
        <TextField label="Name" name="name" required maxLength={120} hint={nameHint} error={problem} />
        {withOrigins ? (
          <TextArea
            label="Origins of its pages"
            name="origins"
            required
            mono
            rows={3}
            placeholder="https://example.org"
            hint="One a line, with https. The widget works in pages of these and of no others."
          />
        ) : null}
        <Button type="submit" disabled={busy} className="justify-self-start">
          {busy ? "Making it…" : `Create ${withOrigins ? "site" : "group"}`}
        </Button>
      </form>
    </Dialog>
  );
}
