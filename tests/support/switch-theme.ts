import type { Page } from "@playwright/test";

/** As the page's own switch does, and waits until the colours have arrived: contrast measured on the way there says nothing. */
export async function switchTheme(page: Page, theme: "light" | "dark"): Promise<void> {
  await page.evaluate(async (name) => {
    document.documentElement.dataset.theme = name;
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    // A transition that another one replaces is cancelled: it has ended, too.
    await Promise.allSettled(transitions.map(({ finished }) => finished));
  }, theme);
}
