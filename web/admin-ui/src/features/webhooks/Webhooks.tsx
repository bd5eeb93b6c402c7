import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconPlus, IconWebhook } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { ShownOnce } from "../../shared/ShownOnce";
import { SidePanel } from "../../shared/SidePanel";
import { AddWebhook } from "./AddWebhook";
import { webhooksSearch } from "./search";
import { type Webhook, WebhookStanding } from "./standing";
import { WebhookDetail } from "./WebhookDetail";

const COLUMNS: Column<Webhook>[] = [
  { id: "url", header: "Sent to", value: (row) => row.url },
  { id: "description", header: "For", value: (row) => row.description, width: 14 },
  { id: "events", header: "Events", value: (row) => row.event_types.join(", "), width: 14 },
  { id: "state", header: "State", value: (row) => Number(row.active), cell: (row) => <WebhookStanding of={row} />, width: 8 },
  { id: "made", header: "Made", value: (row) => row.created_at, cell: (row) => <RelativeTime at={row.created_at} />, width: 9 },
];

export function Webhooks() {
  const may = useMay();
  const [search, change] = useAddress(webhooksSearch);
  const { webhookId } = useParams({ strict: false });
  const navigate = useNavigate();
  const [isAdding, adding] = useDisclosure(false);
  const [secret, setSecret] = useState<string | null>(null);
  const query = api.useInfiniteQuery(
    "get",
    "/api/webhooks",
    { params: { query: { limit: 200 } } },
    { ...BY_CURSOR, enabled: may("webhooks:manage") },
  );
  const open = (id: string) => {
    const { sort } = search;
    void navigate({ to: "/webhooks/$webhookId", params: { webhookId: id }, search: sort === undefined ? {} : { sort } });
  };
  return (
    <Page
      title="Webhooks"
      description="What happens here is posted to other systems, signed, and tried up to ten times over some hours."
      needs="webhooks:manage"
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={adding.open}>
          Add a webhook
        </Button>
      }
    >
      <DataTable
        label="Webhooks"
        columns={COLUMNS}
        rowId={(row) => row.id}
        sort={search.sort}
        onSort={(sort) => change({ sort: sort ?? "" })}
        selected={webhookId}
        onSelect={(row) => open(row.id)}
        empty={
          <EmptyState icon={IconWebhook} title="Nothing is sent anywhere">
            Add a webhook to tell a chat channel of requests for approval, or another system of every call.
          </EmptyState>
        }
        {...useAllRows(query)}
      />
      <SidePanel
        title="Webhook"
        size="xl"
        isOpen={webhookId !== undefined}
        onClose={() => void navigate({ to: "/webhooks", search: search.sort === undefined ? {} : { sort: search.sort } })}
      >
        {webhookId !== undefined && <WebhookDetail key={webhookId} id={webhookId} onSecret={setSecret} />}
      </SidePanel>
      <AddWebhook
        isOpen={isAdding}
        onClose={adding.close}
        onAdded={(made) => {
          adding.close();
          open(made.webhook.id);
          setSecret(made.secret);
        }}
      />
      <ShownOnce title="The secret of the webhook" name="secret" secret={secret} onClose={() => setSecret(null)}>
        The receiver checks the header webhook-signature with it, as Standard Webhooks says.
      </ShownOnce>
    </Page>
  );
}
