"use client";
/** Deletes one thing after asking, and shows the page anew. */
import { Trash2 } from "lucide-react";
import { useRouter } from "next/navigation";
import { call, problemText } from "../api.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { showToast } from "../ui/toast.tsx";

export function DeleteButton({ path, name, what }: { path: string; name: string; what: string }) {
  const router = useRouter();
  async function remove() {
    try {
      await call(path, { method: "DELETE" });
      showToast({ title: `${name} was deleted`, tone: "good" });
      router.refresh();
    } catch (error) {
      showToast({ title: `${name} was not deleted`, detail: problemText(error), tone: "bad" });
    }
  }
  return (
    <Confirm
      trigger={
        <Button kind="bare" size="small" aria-label={`Delete ${name}`}>
          <Trash2 aria-hidden="true" className="size-4" strokeWidth={1.75} />
        </Button>
      }
      title={`Delete ${name}?`}
      description={`This ${what} is gone for good. It stays as long as something still refers to it.`}
      act="Delete it"
      onConfirm={remove}
    />
  );
}
