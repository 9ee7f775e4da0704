/** Names that people gave: shown back, so kept short and free of what could disturb a terminal or a page. */

const MAX_CHARS = 120;

/** The last part of a path, without control characters; "unnamed" when nothing is left. */
export function cleanName(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? "";
  const clean = last.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
  return clean.slice(0, MAX_CHARS) || "unnamed";
}
