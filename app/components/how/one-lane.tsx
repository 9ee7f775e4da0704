/** The arithmetic of one lane, on the first four residues of the shown one: the numbers are the ones that a donor got. */
import { EXAMPLE } from "../example/example.ts";

/** Weights as a quantised layer has them. */
const WEIGHTS = [3, -5, 7, 2] as const;

export function OneLane() {
  const q = EXAMPLE.batch.prime;
  const residues = EXAMPLE.residues;
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * (residues[i] ?? 0), 0);
  const result = ((sum % q) + q) % q;
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <table className="number w-full text-[0.82rem] sm:text-[1rem]">
        <thead className="text-left text-[0.85rem] text-ink-3">
          <tr>
            <th scope="col" className="pb-2 font-[400]">
              residue
            </th>
            <th scope="col" className="pb-2 pl-2 sm:pl-3 font-[400]">
              as bytes
            </th>
            <th scope="col" className="pb-2 pl-2 sm:pl-3 text-right font-[400]">
              weight
            </th>
          </tr>
        </thead>
        <tbody>
          {residues.map((residue, i) => (
            <tr key={residue} className="border-t border-line">
              <td className="py-2">{grouped(residue)}</td>
              <td className="py-2 pl-2 sm:pl-3">
                <span className="flex gap-1 sm:gap-1.5">
                  {[0, 8, 16].map((shift) => (
                    <Byte key={shift} value={(residue >> shift) & 255} />
                  ))}
                </span>
              </td>
              <td className="py-2 pl-2 sm:pl-3 text-right">× {WEIGHTS[i]}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr className="border-t border-ink">
            <td colSpan={2} className="pt-2.5 text-ink-2">
              sum mod {grouped(q)}
            </td>
            <td className="pt-2.5 text-right font-[500] text-accent">{grouped(result)}</td>
          </tr>
        </tfoot>
      </table>
      <figcaption className="mt-4 border-t border-line pt-3 text-[0.92rem] text-ink-3">
        Residues are cut into bytes so that an ordinary 8-bit matrix kernel multiplies them exactly. The real sum has{" "}
        {EXAMPLE.batch.values} terms.
      </figcaption>
    </figure>
  );
}

function Byte({ value }: { value: number }) {
  return (
    <span className="relative inline-block w-7 text-[0.8rem] text-ink-2 sm:w-10 sm:text-[0.85rem]">
      {String(value).padStart(3, "0")}
      <span aria-hidden="true" className="mt-0.5 block h-[3px] bg-line">
        <span className="block h-full bg-accent" style={{ width: `${(100 * value) / 255}%` }} />
      </span>
    </span>
  );
}

function grouped(value: number): string {
  return value.toLocaleString("en");
}
