import { ResetPasswordForm } from "../../components/account/password-forms.tsx";

export const metadata = { title: "New password", referrer: "no-referrer" };

export default async function ResetPassword({ searchParams }: { searchParams: Promise<{ token?: string }> }) {
  return <ResetPasswordForm token={(await searchParams).token ?? ""} />;
}
