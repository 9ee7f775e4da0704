"use client";
/** One act on a thing of a list: asks first where it cannot be undone, then shows the page anew. */
import { useRouter } from "next/navigation";
import { call, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { showToast } from "../ui/toast.tsx";

interface ActProps {
  readonly method: "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly children: string;
  /** For screen readers, where a list has many: "Revoke CI". */
  readonly label?: string;
  /** What was done, as a short message. */
  readonly done: string;
  readonly danger?: boolean;
  /** Asked before; left out where nothing is lost. */
  readonly question?: { readonly title: string; readonly description: string };
}

export function ActButton({ method, path, body, children, label, done, danger = false, question }: ActProps) {
  const router = useRouter();
  async function act() {
    try {
      await call(path, {
        method,
        ...(body ? { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {}),
      });
      showToast({ title: done, tone: "good" });
      router.refresh();
    } catch (error) {
      showToast({ title: "That did not work", detail: problemText(error), tone: "bad" });
    }
  }
  const look = { kind: danger ? "danger" : "quiet", size: "small", "aria-label": label ?? children } as const;
  if (!question) {
    return (
      <Button {...look} onClick={() => void act()}>
        {children}
      </Button>
    );
  }
  return (
    <Confirm
      {...question}
      act={children}
      onConfirm={() => void act()}
      trigger={<Button {...look}>{children}</Button>}
    />
  );
}
