/** Which passwords are taken: long ones that a list of common passwords would not find. */
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";

const FEWEST_DIFFERENT = 5;
/** Stems of the most common passwords of ten characters and more; digits and signs around them change little. */
const COMMON = [
  "password",
  "passwort",
  "qwertyuiop",
  "qwerty",
  "asdfghjkl",
  "1q2w3e4r",
  "1qaz2wsx",
  "iloveyou",
  "letmein",
  "welcome",
  "administrator",
  "1234567890",
  "0987654321",
  "0123456789",
  "abcdefghij",
];

/** @returns what is wrong with it and what to do; null when it is good */
export function passwordProblem(password: string, email: string): string | null {
  const { passwordCharsMin, passwordCharsMax } = ACCOUNT_LIMITS;
  if (password.length < passwordCharsMin) return `The password needs at least ${passwordCharsMin} characters.`;
  if (password.length > passwordCharsMax) return `The password may have up to ${passwordCharsMax} characters.`;
  const lower = password.toLowerCase();
  if (new Set(lower).size < FEWEST_DIFFERENT) return "The password repeats a few characters: use several words.";
  const name = email.toLowerCase().split("@", 1)[0] ?? "";
  const rest = [...COMMON, ...(name.length > 2 ? [name] : [])].reduce((text, stem) => text.replaceAll(stem, ""), lower);
  if (rest.length < FEWEST_DIFFERENT) return "That password is among the first that are tried: use several words.";
  return null;
}
