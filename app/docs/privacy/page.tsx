import { Check, Minus } from "lucide-react";
import { NoiseBesidePicture } from "../../components/docs/noise.tsx";

export const metadata = { title: "Who sees what" };

const ROWS: readonly [what: string, donors: Sight, coordinator: Sight, submitter: Sight][] = [
  ["Records of the dataset", "never", "sees", "never"],
  ["Answers", "never", "sees", "never"],
  ["The secret key", "never", "sees", "never"],
  ["The model’s weights (quantised)", "sees", "sees", "sees"],
  ["Number of records and of values in each", "sees", "sees", "sees"],
  ["When and how long it was computed", "sees", "sees", "sees"],
];
type Sight = "sees" | "never";

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
        The last column is submitter custody, where keys never leave your machine. This server does not offer it yet.
      </p>
      <ul className="mt-5 grid list-disc gap-2 pl-5 text-ink-2">
        <li>
          <strong className="font-[600] text-ink">Coordinator custody</strong>: you upload plain data over TLS; this
          server encrypts it before it goes to donors. It protects the data from donors, not from whoever runs this
          server.
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
        <li>Your own machine, this server’s machine, and keys that are lost: a lost key means lost results.</li>
      </ul>

      <h2 className="mt-10 text-[1.5rem]">What it stands on</h2>
      <p className="mt-2 text-ink-2">
        CKKS ciphertexts made by Microsoft SEAL with parameters for 128-bit security against classical computers (ring
        learning with errors). Donors compute on ciphertexts without any key. Results are checked by recomputing lanes
        that are drawn after the result has come in, so a donor cannot know which; nothing that a donor can observe
        depends on a decrypted value.
      </p>

      <h2 className="mt-10 text-[1.5rem]">When encryption pays, and when not</h2>
      <p className="mt-2 text-ink-2">
        Encrypting one value costs its key-holder about as much as some thousands of plain multiplications. A small
        model on many input values is therefore cheaper to run yourself, and the plan of every job says so: it shows the
        key-holder’s time per record beside the plain model’s. It pays where a model does much work per input value,
        such as wide layers or ensembles that share the same ciphertexts, or where nobody who computes may read the
        data.
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
