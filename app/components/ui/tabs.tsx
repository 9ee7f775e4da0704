"use client";
/** Several views of one thing, one at a time. */
import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

export interface Tab {
  readonly value: string;
  readonly label: ReactNode;
  readonly content: ReactNode;
}

export function Tabs({ label, tabs, first }: { label: string; tabs: readonly Tab[]; first?: string }) {
  return (
    <Base.Root defaultValue={first ?? tabs[0]?.value}>
      <Base.List
        aria-label={label}
        className="relative flex gap-1 overflow-x-auto overflow-y-hidden border-b border-line"
      >
        {tabs.map(({ value, label: text }) => (
          <Base.Tab
            key={value}
            value={value}
            className="min-h-11 shrink-0 rounded-t-sm px-3 text-[0.97rem] text-ink-2 hover:text-ink focus-visible:-outline-offset-2 data-active:text-ink"
          >
            {text}
          </Base.Tab>
        ))}
        <Base.Indicator className="absolute bottom-0 left-0 h-[3px] w-(--active-tab-width) translate-x-(--active-tab-left) bg-accent transition-[translate,width] duration-200" />
      </Base.List>
      {tabs.map(({ value, content }) => (
        <Base.Panel key={value} value={value} className="pt-5 outline-offset-4">
          {content}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}
