/** Asks the visitor in a window of our own origin, which the page around the frame can neither cover nor script. */

/** What the window answers its opener. */
export interface ConfirmAnswer {
  flux: "consent";
  yes: boolean;
}

const SIZE = "popup,width=440,height=380";

/**
 * Call from a person's click. Resolves with the visitor's answer; false when the window is closed.
 * @returns null where the browser opens no window, or one that cannot answer
 */
export function askInOwnWindow(siteKey: string, language: string): Promise<boolean> | null {
  const query = new URLSearchParams({ site: siteKey, lang: language });
  const asking = window.open(`/embed/confirm?${query}`, "_blank", SIZE);
  if (!asking) return null;
  return new Promise((resolve) => {
    const listening = new AbortController();
    const settle = (yes: boolean): void => {
      listening.abort();
      clearInterval(closed);
      resolve(yes);
    };
    const closed = setInterval(() => {
      if (asking.closed) settle(false);
    }, 500);
    window.addEventListener(
      "message",
      (event: MessageEvent<ConfirmAnswer>) => {
        const own = event.origin === window.location.origin && event.source === asking;
        if (own && event.data?.flux === "consent") settle(event.data.yes);
      },
      { signal: listening.signal },
    );
  });
}
