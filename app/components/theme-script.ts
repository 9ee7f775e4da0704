/** The theme: what the visitor chose, else what the system says. Runs inline before the first paint. */
export const THEME_KEY = "flux-theme";

export const THEME_SCRIPT = `(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("${THEME_KEY}"); } catch {}
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  system.addEventListener("change", apply);
})();`;
