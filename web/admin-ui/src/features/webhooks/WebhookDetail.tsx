import { Alert, Button, Group, Select, Skeleton, Stack, Tabs, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api } from "@msil-mcp/api";
import { ErrorNotice, RelativeTime } from "@msil-mcp/ui";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { ask } from "../../shared/ask";
import { Facts } from "../../shared/Facts";
import { changedOf, restOf, showAtFields } from "../../shared/forms";
import { useRefresh } from "../../shared/lists";
import { tell } from "../../shared/notice";
import { OVERLAPS } from "../../shared/overlaps";
import { Deliveries } from "./Deliveries";
import { type Webhook, WebhookStanding } from "./standing";
import { bodyOf, FIELDS, RULES, type Values, WebhookFields } from "./WebhookFields";

interface Props {
  id: string;
  onSecret: (secret: string) => void;
}

export function WebhookDetail({ id, onSecret }: Props) {
  const { data, error, refetch } = api.useQuery("get", "/api/webhooks/{webhook_id}", { params: { path: { webhook_id: id } } });
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={320} />;
  return (
    <Stack>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {data.url}
        </Text>
        <WebhookStanding of={data} />
      </Group>
      {data.paused_because && (
        <Alert color="danger" variant="outline" title="It was paused">
          {data.paused_because}
        </Alert>
      )}
      <Tabs defaultValue="deliveries" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="deliveries">Deliveries</Tabs.Tab>
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="deliveries" pt="md">
          <Deliveries webhook={data} />
        </Tabs.Panel>
        <Tabs.Panel value="settings" pt="md">
          <Stack>
            <Edit key={JSON.stringify(valuesOf(data))} webhook={data} />
            <Secret webhook={data} onSecret={onSecret} />
            <Facts facts={factsOf(data)} />
            <Standing webhook={data} />
          </Stack>
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function factsOf(webhook: Webhook) {
  return [
    ["Made", <RelativeTime key="made" at={webhook.created_at} />],
    ["Made by", webhook.created_by],
    ["Failing since", webhook.failing_since ? <RelativeTime key="failing" at={webhook.failing_since} /> : undefined],
    ["Old secret until", webhook.previous_until ? <RelativeTime key="until" at={webhook.previous_until} /> : undefined],
    ["Id", webhook.id],
  ] as const;
}

function valuesOf({ url, description, event_types, allow_private }: Webhook): Values {
  return { url, description, event_types, allow_private };
}

function Edit({ webhook }: { webhook: Webhook }) {
  const refresh = useRefresh("/api/webhooks");
  const initialValues = valuesOf(webhook);
  const form = useForm<Values>({ initialValues, validate: RULES });
  const save = api.useMutation("patch", "/api/webhooks/{webhook_id}", {
    onSuccess: async () => {
      tell("Saved.");
      await refresh();
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(save.error, FIELDS);
  return (
    <form
      onSubmit={form.onSubmit((values) =>
        save.mutate({ params: { path: { webhook_id: webhook.id } }, body: changedOf(bodyOf(values), bodyOf(initialValues)) }),
      )}
    >
      <Stack gap="sm">
        <WebhookFields form={form} />
        {error !== undefined && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Secret({ webhook, onSecret }: { webhook: Webhook; onSecret: (secret: string) => void }) {
  const refresh = useRefresh("/api/webhooks");
  const [overlap, setOverlap] = useState("86400");
  const rotate = api.useMutation("post", "/api/webhooks/{webhook_id}/rotate", {
    onSuccess: async ({ secret }) => {
      onSecret(secret);
      await refresh();
    },
  });
  return (
    <Stack gap="xs">
      <Group align="flex-end">
        <Select
          label="When the secret is rotated, the old one signs too"
          data={OVERLAPS}
          value={overlap}
          allowDeselect={false}
          onChange={(value) => setOverlap(value ?? overlap)}
        />
        <Button
          variant="default"
          loading={rotate.isPending}
          onClick={() => rotate.mutate({ params: { path: { webhook_id: webhook.id } }, body: { overlap_seconds: Number(overlap) } })}
        >
          Rotate the secret
        </Button>
      </Group>
      {rotate.error && <ErrorNotice error={rotate.error} />}
    </Stack>
  );
}

function Standing({ webhook }: { webhook: Webhook }) {
  const refresh = useRefresh("/api/webhooks");
  const navigate = useNavigate();
  const path = { webhook_id: webhook.id };
  const change = api.useMutation("patch", "/api/webhooks/{webhook_id}", { onSuccess: refresh });
  const end = api.useMutation("delete", "/api/webhooks/{webhook_id}", {
    onSuccess: async () => {
      await navigate({ to: "/webhooks", search: ({ sort }: { sort?: string }) => (sort === undefined ? {} : { sort }) } as never);
      await refresh();
    },
  });
  const error = change.error ?? end.error;
  return (
    <Stack gap="xs">
      {error && <ErrorNotice error={error} />}
      <Group>
        <Button
          variant="default"
          loading={change.isPending}
          onClick={() => change.mutate({ params: { path }, body: { active: !webhook.active } })}
        >
          {webhook.active ? "Pause" : "Resume"}
        </Button>
        <Button
          variant="outline"
          color="danger"
          loading={end.isPending}
          onClick={() =>
            ask({
              title: "Delete this webhook?",
              text: "Nothing is sent there any more, and the list of its deliveries is forgotten. This cannot be undone.",
              confirm: "Delete the webhook",
              onConfirm: () => end.mutate({ params: { path } }),
            })
          }
        >
          Delete
        </Button>
      </Group>
    </Stack>
  );
}
