import { Button, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api, type components } from "@msil-mcp/api";
import { EmptyState, exactCount } from "@msil-mcp/ui";
import { IconPackages } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";

import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { Page } from "../../shared/Page";
import { SidePanel } from "../../shared/SidePanel";
import { BundlePanel } from "./BundlePanel";
import { NewBundle } from "./NewBundle";

type Bundle = components["schemas"]["BundleOut"];

const COLUMNS: Column<Bundle>[] = [
  { id: "name", header: "Name", value: (row) => row.name },
  { id: "title", header: "Title", value: (row) => row.title },
  { id: "tools", header: "Tools", width: 7, value: (row) => row.tools },
  { id: "published", header: "Published", width: 9, value: (row) => row.published },
  { id: "tokens", header: "Tokens", width: 8, value: (row) => row.tokens, cell: (row) => exactCount(row.tokens) },
];

/** Tools by business journey: what a client is given together. */
export function Bundles() {
  const may = useMay();
  const navigate = useNavigate();
  const { name }: { name?: string } = useParams({ strict: false });
  const [isNew, { open, close }] = useDisclosure(false);
  const bundles = api.useQuery("get", "/api/bundles", {}, { enabled: may("tools:read") });
  const go = (next: string | undefined) => void navigate({ to: next ? "/bundles/$name" : "/bundles", params: { name: next } } as never);
  return (
    <Page
      title="Bundles"
      description="Tools by business journey: what a client or a role is given together."
      needs="tools:read"
      actions={may("tools:write") && <Button onClick={open}>New bundle</Button>}
    >
      <DataTable
        label="Bundles"
        columns={COLUMNS}
        rows={bundles.data}
        rowId={(row) => row.name}
        error={bundles.error}
        onRetry={() => void bundles.refetch()}
        selected={name}
        onSelect={(row) => go(row.name)}
        empty={
          <EmptyState icon={IconPackages} title="There are no bundles yet">
            Importing a document makes one, or make one here and choose its tools.
          </EmptyState>
        }
      />
      <SidePanel title={name ?? ""} isOpen={name !== undefined} onClose={() => go(undefined)}>
        {name !== undefined && <BundlePanel key={name} name={name} onGone={() => go(undefined)} />}
      </SidePanel>
      <Modal opened={isNew} onClose={close} title="New bundle" closeButtonProps={{ "aria-label": "Close" }}>
        <NewBundle
          onMade={(made) => {
            close();
            go(made);
          }}
        />
      </Modal>
    </Page>
  );
}
