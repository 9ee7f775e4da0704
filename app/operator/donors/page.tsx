import { DonorTable } from "../../components/operator/donor-table.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { operator } from "../operator.ts";

export const metadata = { title: "Donors" };

export default async function Donors() {
  const donors = await (await operator()).service.donors();
  return (
    <>
      <PageHeader title="Donors">Those who are here, then those who computed most.</PageHeader>
      {donors.length === 0 ? (
        <EmptyState title="No donor has been here yet.">Open /donate in a browser to be the first.</EmptyState>
      ) : (
        <DonorTable label="Donors" donors={donors} />
      )}
    </>
  );
}
