/** Every address that no page has: within the frame of the others, so that it looks and loads like them. */
import { notFound } from "next/navigation";

export const metadata = { title: "Nothing here" };

export default function Missing(): never {
  notFound();
}
