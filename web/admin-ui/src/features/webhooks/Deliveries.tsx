import { Button, Group, Select, Stack } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { EmptyState, ErrorNotice, RelativeTime } from "@msil-mcp/ui";
import { IconSend } from "@tabler/icons-react";
import { keepPreviousData } from "@tanstack/react-query";

import { useAddress } from "../../shared/address";
import { ask } from "../../shared/ask";
import { type Column, DataTable } from "../../shared/DataTable";
import { BY_CURSOR, usePages, useRefresh } from "../../shared/lists";
import { tell } from "../../shared/notice";
import { DeliveryDetail } from "./DeliveryDetail";
import { DELIVERY_STATES, webhooksSearch, type WebhooksSearch } from "./search";
import { type Delivery, DeliveryStanding, type Webhook, WORDS } from "./standing";

const REFRESH_MS = 5_000;

const COLUMNS: Column<Delivery>[] = [
  { id: "event", header: "Event", value: (row) => row.event_type },
  { id: "state", header: "State", value: (row) => row.state, cell: (row) => <DeliveryStanding state={row.state} />, width: 11 },
  { id: "tries", header: "Tries", value: (row) => row.attempts, width: 4 },
  { id: "answer", header: "Answer", value: (row) => row.last_status ?? row.last_error ?? "–", width: 8 },
  { id: "at", header: "Made", value: (row) => row.created_at, cell: (row) => <RelativeTime at={row.created_at} />, width: 8 },
];

export function Deliveries({ webhook }: { webhook: Webhook }) {
  const [search, change] = useAddress(webhooksSearch);
  const refresh = useRefresh("/api/webhooks");
  const types = api.useQuery("get", "/api/webhooks/event-types", {}, { staleTime: Infinity });
  const path = { webhook_id: webhook.id };
  const filters = {
    limit: 50,
    ...(search.deliveries ? { state: search.deliveries } : {}),
    ...(search.event ? { event_type: search.event } : {}),
  };
  const query = api.useInfiniteQuery(
    "get",
    "/api/webhooks/{webhook_id}/deliveries",
    { params: { path, query: filters } },
    { ...BY_CURSOR, refetchInterval: REFRESH_MS, placeholderData: keepPreviousData },
  );
  const test = api.useMutation("post", "/api/webhooks/{webhook_id}/test", {
    onSuccess: async (delivery) => {
      tell("A test event is on its way.");
      change({ delivery: String(delivery.id) });
      await refresh();
    },
  });
  const replay = api.useMutation("post", "/api/webhooks/{webhook_id}/replay", {
    onSuccess: async ({ replayed }) => {
      tell(replayed === 0 ? "Nothing had been given up." : `${replayed} ${replayed === 1 ? "event is" : "events are"} sent again.`);
      await refresh();
    },
  });
  const error = test.error ?? replay.error;
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Select
          aria-label="State of deliveries"
          placeholder="In any state"
          clearable
          clearButtonProps={{ "aria-label": "In any state" }}
          data={DELIVERY_STATES.map((state) => ({ value: state, label: WORDS[state] }))}
          value={search.deliveries ?? null}
          onChange={(state) => change({ deliveries: state ?? undefined } as WebhooksSearch)}
        />
        <Select
          aria-label="Kind of event"
          placeholder="Every kind of event"
          clearable
          searchable
          clearButtonProps={{ "aria-label": "Every kind of event" }}
          data={[...(types.data ?? []), "webhook.test"]}
          value={search.event ?? null}
          onChange={(event) => change({ event: event ?? "" })}
        />
        <Button variant="default" disabled={!webhook.active} loading={test.isPending} onClick={() => test.mutate({ params: { path } })}>
          Send a test
        </Button>
        <Button
          variant="default"
          disabled={!webhook.active}
          loading={replay.isPending}
          onClick={() =>
            ask({
              title: "Send again what was given up?",
              text: "Every event that was given up goes out once more. Receivers tell repeats by the webhook-id.",
              confirm: "Send again",
              onConfirm: () => replay.mutate({ params: { path }, body: {} }),
            })
          }
        >
          Replay what was given up
        </Button>
      </Group>
      {error && <ErrorNotice error={error} />}
      {search.delivery !== undefined && (
        <DeliveryDetail key={search.delivery} webhook={webhook} id={Number(search.delivery)} onClose={() => change({ delivery: "" })} />
      )}
      <DataTable
        label="Deliveries"
        columns={COLUMNS}
        rowId={(row) => String(row.id)}
        selected={search.delivery}
        onSelect={(row) => change({ delivery: String(row.id) })}
        height="24rem"
        empty={
          <EmptyState icon={IconSend} title="Nothing sent">
            {search.deliveries !== undefined || search.event !== undefined
              ? "No delivery is like that. Take the filters away to see all."
              : "Events appear here as they happen. Send a test to see whether it arrives."}
          </EmptyState>
        }
        {...usePages(query)}
      />
    </Stack>
  );
}
