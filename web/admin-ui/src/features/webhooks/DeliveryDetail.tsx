import { Button, CloseButton, Group, Paper, Skeleton, Stack, Text } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { ErrorNotice, Json, RelativeTime } from "@msil-mcp/ui";

import { Facts } from "../../shared/Facts";
import { useRefresh } from "../../shared/lists";
import { DeliveryStanding, type Webhook } from "./standing";

const REFRESH_MS = 2_000;

interface Props {
  webhook: Webhook;
  id: number;
  onClose: () => void;
}

/** What was sent, what came back, and a way to send it again. */
export function DeliveryDetail({ webhook, id, onClose }: Props) {
  const refresh = useRefresh("/api/webhooks");
  const path = { webhook_id: webhook.id, delivery_id: id };
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/webhooks/{webhook_id}/deliveries/{delivery_id}",
    { params: { path } },
    { refetchInterval: ({ state }) => (state.data?.state === "pending" ? REFRESH_MS : false) },
  );
  const replay = api.useMutation("post", "/api/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", { onSuccess: refresh });
  return (
    <Paper withBorder p="sm" component="section" aria-label="The delivery">
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={600}>{data?.event_type ?? "Delivery"}</Text>
          <CloseButton aria-label="Close the delivery" onClick={onClose} />
        </Group>
        {error && !data && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {!error && !data && <Skeleton height={160} />}
        {data && (
          <>
            <Facts
              facts={[
                ["State", <DeliveryStanding key="state" state={data.state} />],
                ["Tries", String(data.attempts)],
                ["Answer", data.last_status === null ? undefined : `HTTP ${data.last_status}`],
                ["What went wrong", data.last_error ?? undefined],
                ["Made", <RelativeTime key="made" at={data.created_at} />],
                ["Delivered", data.delivered_at ? <RelativeTime key="delivered" at={data.delivered_at} /> : undefined],
                ["Tried next", data.next_at ? <RelativeTime key="next" at={data.next_at} /> : undefined],
                ["webhook-id", data.event_id],
              ]}
            />
            <Json value={data.payload} label="payload" />
            {replay.error && <ErrorNotice error={replay.error} />}
            <Group>
              <Button
                variant="default"
                disabled={!webhook.active || data.state === "pending"}
                loading={replay.isPending}
                onClick={() => replay.mutate({ params: { path } })}
              >
                Send it again
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Paper>
  );
}
