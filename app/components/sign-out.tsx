"use client";
import { call, postJson } from "./api.ts";

/** Ends the session of a person, and forgets the key of a browser that signed in with one. */
export function SignOut() {
  async function signOut() {
    await postJson("/api/auth/sign-out", {});
    await call("/api/v1/session", { method: "DELETE" });
    location.assign("/sign-in");
  }
  return (
    <button
      type="button"
      onClick={signOut}
      className="py-2 whitespace-nowrap text-ink-3 hover:text-ink hover:underline"
    >
      Sign out
    </button>
  );
}
