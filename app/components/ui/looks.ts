/** Looks that several components of the kit share. */

/** Where something is typed or chosen. */
export const CONTROL =
  "rounded-md border border-line-strong bg-paper text-ink placeholder:text-ink-3 hover:border-ink-3 data-[invalid]:border-bad disabled:opacity-50 data-[disabled]:opacity-50";

/** A sheet that lies above the page: menus, lists of choices, tooltips. */
export const POPUP =
  "origin-(--transform-origin) rounded-md border border-line-strong bg-raised text-ink shadow-(--shadow-popup) outline-none transition-[scale,opacity] duration-100 data-starting-style:scale-[0.98] data-starting-style:opacity-0 data-ending-style:scale-[0.98] data-ending-style:opacity-0";

/** One line of a menu or a list of choices. */
export const POPUP_ITEM =
  "flex min-h-9 cursor-default items-center gap-2.5 rounded-sm px-2.5 py-1.5 text-[0.95rem] outline-none select-none data-highlighted:bg-accent-wash data-disabled:opacity-50";

/** What darkens the page below a dialog. */
export const BACKDROP =
  "fixed inset-0 z-40 bg-black/35 transition-opacity duration-150 data-starting-style:opacity-0 data-ending-style:opacity-0 dark:bg-black/60";
