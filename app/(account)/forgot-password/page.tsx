import { coordinator } from "#lib/coordinator/registry.ts";
import { ForgotPasswordForm } from "../../components/account/password-forms.tsx";
import { Notice } from "../../components/ui/notice.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";

export const metadata = { title: "Forgot your password" };

export default function ForgotPassword() {
  if (coordinator().config.mailHook) return <ForgotPasswordForm />;
  return (
    <>
      <PageHeader title="Forgot your password?" />
      <Notice tone="info" title="This server sends no mail.">
        Ask its operator: they can give you a link to set a new password. Your API keys work as before meanwhile.
      </Notice>
    </>
  );
}
