"use client";
/** Actions behind one button. */
import { Menu as Base } from "@base-ui/react/menu";
import type { LucideIcon } from "lucide-react";
import type { ReactElement } from "react";
import { POPUP, POPUP_ITEM } from "./looks.ts";

export type MenuEntry = {
  readonly text: string;
  readonly icon?: LucideIcon;
  readonly danger?: boolean;
} & ({ readonly href: string; readonly download?: boolean } | { readonly onSelect: () => void });

export function Menu({ trigger, entries }: { trigger: ReactElement; entries: readonly MenuEntry[] }) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} align="end" className="z-50 outline-none">
          <Base.Popup className={`${POPUP} min-w-48 p-1`}>
            {entries.map((entry) => (
              <Entry key={entry.text} entry={entry} />
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

function Entry({ entry }: { entry: MenuEntry }) {
  const { text, icon: Icon, danger = false } = entry;
  const look = `${POPUP_ITEM} ${danger ? "text-bad" : ""}`;
  const content = (
    <>
      {Icon ? <Icon aria-hidden="true" className="size-4 text-ink-3" strokeWidth={1.75} /> : null}
      {text}
    </>
  );
  if ("href" in entry) {
    return (
      <Base.LinkItem href={entry.href} className={look} {...(entry.download ? { download: true } : {})}>
        {content}
      </Base.LinkItem>
    );
  }
  return (
    <Base.Item onClick={entry.onSelect} className={look}>
      {content}
    </Base.Item>
  );
}
