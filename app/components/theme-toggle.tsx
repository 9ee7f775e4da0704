"use client";
/** Day or night; the choice is kept on this device only. */
import { Moon, Sun } from "lucide-react";
import { THEME_KEY } from "./theme-script.ts";

export function ThemeToggle() {
  const toggle = () => {
    const root = document.documentElement;
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch {
      // Storage may be denied; the choice then lasts as long as the page.
    }
  };
  return (
    <button
      type="button"
      onClick={toggle}
      aria-label="Switch between light and dark"
      className="grid size-10 place-items-center rounded-md text-ink-2 hover:bg-sunk hover:text-ink"
    >
      <Sun aria-hidden="true" className="hidden size-[18px] dark:block" strokeWidth={1.75} />
      <Moon aria-hidden="true" className="size-[18px] dark:hidden" strokeWidth={1.75} />
    </button>
  );
}
