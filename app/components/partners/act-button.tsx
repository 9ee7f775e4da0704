"use client";
/** Does one thing over the API, after asking where it cannot be undone, and shows the page anew. */
import { useRouter } from "next/navigation";
import { type ReactElement, useState } from "react";
import { postJson, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { showToast } from "../ui/toast.tsx";

export interface ActButtonProps {
  readonly path: string;
  readonly body?: object;
  /** On the button. */
  readonly text: string;
  readonly done: string;
  readonly kind?: "quiet" | "danger";
  /** What is asked before. */
  readonly question: { readonly title: string; readonly description: string; readonly act: string };
}

export function ActButton({ path, body = {}, text, done, kind = "quiet", question }: ActButtonProps): ReactElement {
  const router = useRouter();
  const [busy, setBusy] = useState(false);
  async function act() {
    setBusy(true);
    try {
      await postJson(path, body);
      showToast({ title: done, tone: "good" });
      router.refresh();
    } catch (error) {
      showToast({ title: `${text} did not work`, detail: problemText(error), tone: "bad" });
    }
    setBusy(false);
  }
  return (
    <Confirm
      trigger={
        <Button kind={kind} size="small" disabled={busy}>
          {text}
        </Button>
      }
      {...question}
      onConfirm={act}
    />
  );
}
