import { embedRelease } from "#lib/coordinator/partners/embed-release.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import { hostAddress } from "../../components/partners/host.ts";
import { scriptTag } from "../../components/partners/script-tag.ts";
import { CodeBlock } from "../../components/ui/code.tsx";
import { formatCount } from "../../format.ts";

export const metadata = { title: "The widget on other sites" };

const KEY = "pk_your_site_key";

export default async function EmbedDocs() {
  const release = await embedRelease(coordinator().config.projectFolder);
  const host = await hostAddress();
  const hostname = new URL(host).hostname;
  return (
    <article className="max-w-3xl">
      <h1 className="text-[2.2rem]">The widget on other sites</h1>
      <p className="mt-3 text-[1.12rem] text-ink-2">
        Some sites show a small frame that asks whether your browser may compute for machine learning while you read.
        This page says what that is, how to keep it away, and how to put it on a site of yours.
      </p>

      <h2 className="mt-10 text-[1.5rem]">For visitors</h2>
      <ul className="mt-3 grid list-disc gap-2 pl-5 text-ink-2">
        <li>
          Nothing runs and nothing for computing is loaded before you press <b>Start donating</b> in the frame, or
          confirm in a window of ours where your browser cannot tell whether the frame is covered.
        </li>
        <li>
          It pauses when it is out of view, when the tab is hidden, on battery and on metered connections. The site sets
          how much of your device it may use at most; you can set less. Stop ends it at once; the card can also finish
          the microtask in hand first.
        </li>
        <li>
          It computes pieces of machine-learning jobs, most of them on encrypted data that your browser cannot read. It
          mines nothing, and neither you nor the site is paid.
        </li>
        <li>
          It sets no cookies, cannot see the page around it, and that page cannot see or steer it. The site learns how
          many visitors said yes and how much they computed, and countries with at least three of them. Your address is
          not stored.
        </li>
      </ul>
      <p className="mt-4 text-ink-2">To block it everywhere, add this rule to your content blocker:</p>
      <div className="mt-2">
        <CodeBlock text={`||${hostname}^$third-party`} label="Copy the rule" />
      </div>

      <h2 className="mt-10 text-[1.5rem]">For sites</h2>
      <p className="mt-2 text-ink-2">
        Register your site under{" "}
        <a className="link" href="/dashboard/sites">
          Sites
        </a>
        , then put its tag where the widget should stand. The script has {formatCount(release.bytes)} bytes, adds one
        frame, and computes nothing in your page.
      </p>
      <div className="mt-3">
        <CodeBlock text={scriptTag({ host, path: release.path, key: KEY })} label="Copy the script tag" />
      </div>
      <p className="mt-4 text-ink-2">
        <code className="number">data-widget</code> is badge, card or bar; <code className="number">data-theme</code>{" "}
        auto, light or dark; <code className="number">data-max-power</code> the most of the device in percent;{" "}
        <code className="number">data-lang</code> en, de, fr, es or zh (the visitor’s own where left out).
      </p>
      <p className="mt-4 text-ink-2">Pinned by digest, under an address whose content never changes:</p>
      <div className="mt-3">
        <CodeBlock
          text={scriptTag({ host, path: release.pinned_path, key: KEY, integrity: release.integrity })}
          label="Copy the pinned script tag"
        />
      </div>

      <h3 className="mt-8 text-[1.2rem]">What it tells your page</h3>
      <div className="mt-3">
        <CodeBlock
          text={`document.addEventListener("flux:load", () => {
  // ready, started, paused, stopped, progress
  window.Flux.on("progress", ({ microtasks, share }) => console.log(microtasks, share));
});`}
        />
      </div>
      <p className="mt-3 text-ink-2">
        Your page can listen, not command: a visitor’s yes counts only when the frame is in plain view, and nothing that
        a page does can stand in for it.
      </p>

      <h3 className="mt-8 text-[1.2rem]">With a Content-Security-Policy</h3>
      <p className="mt-2 text-ink-2">Allow our script and our frame; nothing else is loaded into your page.</p>
      <div className="mt-3">
        <CodeBlock text={`script-src ${host}; frame-src ${host}`} label="Copy the policy" />
      </div>
      <p className="mt-3 text-ink-2">
        Keep <code className="number">cross-origin-isolated</code> and popups allowed for the frame. In Chromium the
        frame isolates itself (Document-Isolation-Policy) and computes with threads; in other browsers it uses one.
      </p>
    </article>
  );
}
