/** Elements without a framework: what the embed's documents need of one, in a few lines. */

interface Attributes {
  className?: string;
  text?: string;
  /** Set as attributes, by their HTML names. */
  set?: Record<string, string>;
}

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { className, text, set = {} }: Attributes = {},
  children: readonly Element[] = [],
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(set)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The facts that the coordinator put into this document: our own server and build, so the types are the check. */
export function readFacts<Facts>(): Facts {
  return JSON.parse(document.getElementById("flux-facts")?.textContent ?? "null");
}
