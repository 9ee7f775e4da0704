/** The tag that a partner puts into a page. */
export interface ScriptTag {
  readonly host: string;
  readonly path: string;
  readonly key: string;
  readonly integrity?: string;
}

export function scriptTag({ host, path, key, integrity }: ScriptTag): string {
  const attributes = [
    `src="${host}${path}"`,
    ...(integrity ? [`integrity="${integrity}"`, `crossorigin="anonymous"`] : []),
    `data-flux-site="${key}"`,
    `data-widget="badge"`,
    `data-theme="auto"`,
    `data-max-power="25"`,
  ];
  return `<script async ${attributes.join("\n        ")}></script>`;
}
