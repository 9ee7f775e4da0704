export function SiteFooter() {
  return (
    <footer className="mt-16 border-t border-line">
      <div className="mx-auto flex max-w-6xl flex-wrap items-baseline justify-between gap-x-8 gap-y-2 px-4 py-6 text-[0.9rem] text-ink-3 sm:px-6">
        <p>Flux lends browsers to machine learning, on data that they cannot read.</p>
        <nav aria-label="Footer" className="flex flex-wrap gap-x-5 gap-y-1">
          <a className="hover:text-ink hover:underline" href="/how-it-works">
            How it works
          </a>
          <a className="hover:text-ink hover:underline" href="/docs">
            API
          </a>
          <a className="hover:text-ink hover:underline" href="/docs/privacy">
            Who sees what
          </a>
          <a className="hover:text-ink hover:underline" href="/docs/embed">
            Widget
          </a>
          <a className="hover:text-ink hover:underline" href="/api/v1/openapi.json">
            OpenAPI
          </a>
        </nav>
      </div>
    </footer>
  );
}
