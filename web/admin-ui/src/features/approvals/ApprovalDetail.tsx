import { Code, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { CopyButton, ErrorNotice, Json, RelativeTime } from "@msil-mcp/ui";

import { Facts } from "../../shared/Facts";
import { Answer } from "./Answer";
import { type Approval, StateBadge } from "./state";

const REFRESH_MS = 3_000;

/** One request, exactly as it would be sent but for what is masked. */
export function ApprovalDetail({ id }: { id: string }) {
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/approvals/{approval_id}",
    { params: { path: { approval_id: id } } },
    { refetchInterval: ({ state }) => (state.data?.state === "pending" ? REFRESH_MS : false) },
  );
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={320} />;
  return (
    <Stack>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {data.sentence}
        </Text>
        <StateBadge state={data.state} />
      </Group>
      <section>
        <Group gap={4} justify="space-between">
          <Title order={3} size="h5">
            The exact request
          </Title>
          <CopyButton value={`${data.method} ${data.url}`} label="Copy the request line" />
        </Group>
        <Code block mt={4} tabIndex={0} role="region" aria-label="Request line" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {data.method} {data.url}
        </Code>
      </section>
      <section>
        <Title order={3} size="h5" mb={4}>
          Arguments
        </Title>
        <Json value={data.arguments} label="arguments" />
        <Text size="xs" c="dimmed" mt={4}>
          Personal data is masked, here and in the audit trail. The call that follows carries the whole values, and the
          approval counts for those alone.
        </Text>
      </section>
      <Facts facts={factsOf(data)} />
      {data.state === "pending" && <Answer approval={data} />}
    </Stack>
  );
}

function factsOf(approval: Approval) {
  return [
    ["Asked by", `${approval.principal_name} (${approval.principal_id})`],
    ["Tool", approval.tool_name],
    ["Through", approval.origin],
    ["Asked", <RelativeTime key="asked" at={approval.created_at} />],
    [approval.state === "expired" ? "Expired" : "Open until", <RelativeTime key="until" at={approval.expires_at} />],
    ["Answered", approval.decided_at ? <RelativeTime key="answered" at={approval.decided_at} /> : undefined],
    ["Answered by", approval.decided_by ? `${approval.decided_by}, by ${approval.decided_via ?? "rest"}` : undefined],
    ["Reason", approval.reason ?? undefined],
    ["Call", approval.execution_id ?? undefined],
    ["Id", approval.id],
  ] as const;
}
