import { Check, Minus } from "lucide-react";
import { NoiseBesidePicture } from "../../components/docs/noise.tsx";

export const metadata = { title: "Who sees what" };

const ROWS: readonly [what: string, donors: Sight, coordinator: Sight, submitter: Sight][] = [
  ["Records of the dataset", "never", "sees", "never"],
  ["Answers", "never", "sees", "never"],
  ["The secret key", "never", "sees", "never"],
  ["Ranges of the values (with you, coarse)", "sees", "sees", "sees"],
  ["The model’s weights (quantised)", "sees", "sees", "sees"],
  ["Number of records and of values in each", "sees", "sees", "sees"],
  ["When and how long it was computed", "sees", "sees", "sees"],
];
type Sight = "sees" | "never";

/** `npm run bench:lanes`, README "Measured"; the plain model by the plan's own reckoning. */
const COSTS: readonly [what: string, value: string][] = [
  ["Encrypting a record, at the key-holder", "1.96 ms"],
  ["Decrypting its answers, at the key-holder", "0.04 ms"],
  ["The plain model on that record", "0.03 ms"],
  ["Donors’ computing for that record", "0.23 to 0.33 ms"],
  ["Bytes to donors, per record", "20.0 kB"],
  ["Bytes back, per record", "1.3 kB"],
  ["The record itself, one byte a value", "0.8 kB"],
];

export default function Privacy() {
  return (
    <article className="max-w-3xl">
      <h1 className="text-[2.2rem]">Who sees what</h1>
      <p className="mt-3 text-[1.12rem] text-ink-2">
        An encrypted job is computed by strangers’ browsers that cannot read it. This page says what that covers, what
        it does not, and when it is not worth its price.
      </p>

      <h2 className="mt-10 text-[1.5rem]">What a donor gets</h2>
      <p className="mt-2 text-ink-2">
        Left: a record, as its owner sees it. Right: what the bytes of a ciphertext look like without the key. The noise
        is drawn here from random numbers; the project’s tests check that what donors are really sent cannot be told
        from such noise.
      </p>
      <NoiseBesidePicture />

      <h2 className="mt-10 text-[1.5rem]">In an encrypted job</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <section aria-label="Who sees what, as a table" tabIndex={0} className="mt-4 overflow-x-auto">
        <table className="w-full text-left">
          <thead>
            <tr className="border-b border-line-strong text-[0.92rem] text-ink-3">
              <td />
              <th className="py-2 pr-4 font-[500]">Donors</th>
              <th className="py-2 pr-4 font-[500]">Coordinator, holding the key</th>
              <th className="py-2 font-[500]">Coordinator, key with you</th>
            </tr>
          </thead>
          <tbody>
            {ROWS.map(([what, ...sights]) => (
              <tr key={what} className="border-b border-line">
                <th scope="row" className="py-2.5 pr-4 font-[400]">
                  {what}
                </th>
                {["donors", "coordinator", "submitter"].map((who, index) => (
                  <td key={who} className="py-2.5 pr-4">
                    <SightMark sight={sights[index] ?? "never"} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className="mt-3 text-[0.95rem] text-ink-3">
        The last column is submitter custody: <code className="number">npx flux submit</code>, or a page of this site,
        plans, encrypts and decrypts on your machine. It is the command line’s default for encrypted jobs. The project’s
        tests search this server’s disk, its database and the memory of its process for the key and for planted values
        of the records, and find neither; the same search finds both where the coordinator holds the key.
      </p>
      <ul className="mt-5 grid list-disc gap-2 pl-5 text-ink-2">
        <li>
          <strong className="font-[600] text-ink">Coordinator custody</strong>: you upload plain data over TLS; this
          server encrypts it before it goes to donors. It protects the data from donors, not from whoever runs this
          server.
        </li>
        <li>
          <strong className="font-[600] text-ink">Submitter custody</strong>: end to end. Only ciphertexts, the model
          and its lane programs leave your machine; results are decrypted there. It protects the data from whoever runs
          this server as well. What you trust then is the program that encrypts: the one that you installed, or the page
          that this server sends you.
        </li>
        <li>
          <strong className="font-[600] text-ink">Public jobs</strong> are not encrypted at all. You choose that by
          name, for data that is public anyway; it is never what an encrypted job falls back to.
        </li>
        <li>
          Answers are rounded to the precision that the plan promises, because finer digits of a decrypted value carry
          noise that depends on the key.
        </li>
      </ul>

      <h2 className="mt-10 text-[1.5rem]">What is not protected</h2>
      <ul className="mt-3 grid list-disc gap-2 pl-5 text-ink-2">
        <li>The model. Donors get its weights in both modes.</li>
        <li>Sizes and timing: how many records, how many values, when, and how fast.</li>
        <li>
          What a program is fitted to. Its constants hold the middle of every value’s range, and stand-ins for
          activations such as ReLU are fitted to your records. With the key at your side ranges are widened to coarse
          steps before that (a sixteenth of their width), so that no single record’s value is among them.
        </li>
        <li>
          Whether a batch decrypted. Where one did not, donors see that its work comes again, under another key. What a
          donor is credited with or banned for depends on recomputed lanes alone.
        </li>
        <li>Your own machine, this server’s machine, and keys that are lost: a lost key means lost results.</li>
      </ul>

      <h2 className="mt-10 text-[1.5rem]">What it stands on</h2>
      <p className="mt-2 text-ink-2">
        CKKS ciphertexts made by Microsoft SEAL with parameters for 128-bit security against classical computers (ring
        learning with errors). Donors compute on ciphertexts without any key. Results are checked by recomputing lanes
        that are drawn after the result has come in, so a donor cannot know which; nothing that a donor is credited with
        or banned for depends on a decrypted value. In a job of 4,096 digits with two donors that were new here, 589 of
        32,768 lanes were recomputed: 0.06 s of the coordinator’s processor against 6.3 s that the donors computed. The
        page of every encrypted job shows its own numbers.
      </p>

      <h2 className="mt-10 text-[1.5rem]">When encryption pays, and when not</h2>
      <p className="mt-2 text-ink-2">
        Measured for a network of the CryptoNets shape (784 values a record, two squares, 107,000 multiply-adds), 4,096
        records a batch, one WebAssembly thread of a shared two-core server:
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard */}
      <section aria-label="What encryption costs, as a table" tabIndex={0} className="mt-4 overflow-x-auto">
        <table className="w-full text-left">
          <tbody>
            {COSTS.map(([what, value]) => (
              <tr key={what} className="border-b border-line">
                <th scope="row" className="py-2.5 pr-4 font-[400]">
                  {what}
                </th>
                <td className="number py-2.5 text-right whitespace-nowrap">{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className="mt-4 text-ink-2">
        So this small network is about seventy times cheaper to run yourself than to encrypt. Encrypting one value costs
        2.5 µs here, as much as some ten thousand plain multiply-adds: in computing time alone, encryption pays where a
        model does more than that per input value, such as very wide layers or ensembles whose members share the same
        ciphertexts (their encryption is paid for once). Below that it buys one thing: nobody who computes, and with the
        key at your side nobody but you, can read the data. The plan of every job shows both times before anything is
        computed, and its report afterwards says how faithful the answers were and what the checks cost.
      </p>
    </article>
  );
}

function SightMark({ sight }: { sight: Sight }) {
  return sight === "sees" ? (
    <span className="inline-flex items-center gap-1.5 text-wait">
      <Check aria-hidden="true" className="size-4" /> sees it
    </span>
  ) : (
    <span className="inline-flex items-center gap-1.5 text-good">
      <Minus aria-hidden="true" className="size-4" /> never
    </span>
  );
}
