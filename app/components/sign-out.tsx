"use client";
import { call } from "./api.ts";

export function SignOut() {
  async function signOut() {
    await call("/api/v1/session", { method: "DELETE" });
    location.assign("/dashboard");
  }
  return (
    <button type="button" onClick={signOut} className="py-2 text-ink-3 hover:text-ink hover:underline">
      Sign out
    </button>
  );
}
