"use client";
/** A few more words for a control whose name is short. Never the only place of something that matters. */
import { Tooltip as Base } from "@base-ui/react/tooltip";
import type { ReactElement } from "react";
import { POPUP } from "./looks.ts";

export function Tooltip({ text, children }: { text: string; children: ReactElement }) {
  return (
    <Base.Root>
      <Base.Trigger render={children} delay={300} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} className="z-50">
          <Base.Popup className={`${POPUP} max-w-72 px-2.5 py-1.5 text-[0.9rem]`}>{text}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
