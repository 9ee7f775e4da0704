"use client";
/** Short news that goes by itself: `showToast({ title: "Copied" })` from anywhere; `<Toasts />` stands in the root layout. */
import { Toast } from "@base-ui/react/toast";
import { Check, CircleAlert, Info, X } from "lucide-react";

type Tone = "good" | "bad" | "info";
const ICONS = { good: Check, bad: CircleAlert, info: Info };
const TONES: Record<Tone, string> = { good: "text-good", bad: "text-bad", info: "text-accent" };

const manager = Toast.createToastManager();

export function showToast({ title, detail, tone = "info" }: { title: string; detail?: string; tone?: Tone }): void {
  manager.add({
    title,
    ...(detail ? { description: detail } : {}),
    type: tone,
    priority: tone === "bad" ? "high" : "low",
  });
}

export function Toasts() {
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className="fixed right-4 bottom-4 z-60 grid w-[min(24rem,calc(100vw-2rem))] gap-2">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => {
    const tone = toneOf(toast.type);
    const Icon = ICONS[tone];
    return (
      <Toast.Root
        key={toast.id}
        toast={toast}
        swipeDirection={["right", "down"]}
        className="flex items-start gap-3 rounded-md border border-line-strong bg-raised px-4 py-3 shadow-(--shadow-popup) transition-[translate,opacity] duration-200 data-starting-style:translate-y-2 data-starting-style:opacity-0 data-ending-style:opacity-0"
      >
        <Icon aria-hidden="true" className={`mt-0.5 size-[18px] shrink-0 ${TONES[tone]}`} strokeWidth={2} />
        <Toast.Content className="min-w-0 flex-1">
          <Toast.Title className="text-[1rem] font-[600]" />
          <Toast.Description className="text-[0.95rem] text-ink-2 [overflow-wrap:anywhere]" />
        </Toast.Content>
        <Toast.Close
          aria-label="Dismiss"
          className="-mr-1 grid size-7 place-items-center rounded-sm text-ink-3 hover:text-ink"
        >
          <X aria-hidden="true" className="size-4" />
        </Toast.Close>
      </Toast.Root>
    );
  });
}

function toneOf(type: string | undefined): Tone {
  return type === "good" || type === "bad" ? type : "info";
}
