"use client";
/** A sheet on top of the page that keeps the keyboard inside until it is closed. */
import { AlertDialog } from "@base-ui/react/alert-dialog";
import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactElement, ReactNode } from "react";
import { Button } from "./button.tsx";
import { BACKDROP } from "./looks.ts";

const SHEET =
  "fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-lg border border-line-strong bg-raised p-5 text-ink shadow-(--shadow-popup) outline-none transition-[scale,opacity] duration-150 data-starting-style:scale-[0.98] data-starting-style:opacity-0 data-ending-style:scale-[0.98] data-ending-style:opacity-0 sm:p-6";

export interface DialogProps {
  readonly title: string;
  readonly description?: ReactNode;
  /** A button that opens it; left out where `open` is held outside. */
  readonly trigger?: ReactElement;
  readonly open?: boolean;
  readonly onOpenChange?: (open: boolean) => void;
  readonly wide?: boolean;
  readonly children: ReactNode;
}

export function Dialog({ title, description, trigger, open, onOpenChange, wide = false, children }: DialogProps) {
  return (
    <Base.Root
      {...(open === undefined ? {} : { open })}
      {...(onOpenChange ? { onOpenChange: (next: boolean) => onOpenChange(next) } : {})}
    >
      {trigger ? <Base.Trigger render={trigger} /> : null}
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={`${SHEET} ${wide ? "max-w-3xl" : "max-w-lg"}`}>
          <div className="flex items-start justify-between gap-4">
            <Base.Title className="text-[1.25rem] font-[620]">{title}</Base.Title>
            <Base.Close
              aria-label="Close"
              className="-mt-1 -mr-2 grid size-9 shrink-0 place-items-center rounded-md text-ink-3 hover:bg-sunk hover:text-ink"
            >
              <X aria-hidden="true" className="size-[18px]" strokeWidth={1.75} />
            </Base.Close>
          </div>
          {description ? <Base.Description className="mt-1 text-ink-2">{description}</Base.Description> : null}
          <div className="mt-4">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

export interface ConfirmProps {
  readonly trigger: ReactElement;
  /** A question. */
  readonly title: string;
  /** What will be lost. */
  readonly description: ReactNode;
  /** The act by its name, e.g. "Cancel the job". */
  readonly act: string;
  readonly keep?: string;
  readonly onConfirm: () => void;
}

/** Asks before something that cannot be undone. */
export function Confirm({ trigger, title, description, act, keep = "Keep it", onConfirm }: ConfirmProps) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger render={trigger} />
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={BACKDROP} />
        <AlertDialog.Popup className={`${SHEET} max-w-md`}>
          <AlertDialog.Title className="text-[1.2rem] font-[620]">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-1.5 text-ink-2">{description}</AlertDialog.Description>
          <div className="mt-5 flex flex-wrap justify-end gap-2.5">
            <AlertDialog.Close render={<Button kind="quiet">{keep}</Button>} />
            <AlertDialog.Close
              render={
                <Button kind="danger" onClick={onConfirm}>
                  {act}
                </Button>
              }
            />
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
