import { Alert, Code, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { CopyButton, duration, ErrorNotice, exactTime, Json } from "@msil-mcp/ui";
import { IconShieldCheck, IconShieldX } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { Facts } from "../../shared/Facts";

type Detail = components["schemas"]["RecordDetail"];

/** Everything one record holds, masked, and its place in the chain. */
export function RecordDetail({ id }: { id: number }) {
  const { data, error, refetch } = api.useQuery("get", "/api/audit/{record_id}", { params: { path: { record_id: id } } });
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={400} />;
  return (
    <Stack>
      <Facts facts={factsOf(data)} />
      {data.arguments != null && <Part title="Arguments" value={data.arguments} />}
      {data.result != null && <Part title="Result" value={data.result} />}
      {data.policy_inputs != null && <Part title="What rules looked at" value={data.policy_inputs} />}
      {data.details != null && <Part title="Details" value={data.details} />}
      <Proof chain={data.chain} />
    </Stack>
  );
}

function Part({ title, value }: { title: string; value: unknown }) {
  return (
    <section>
      <Title order={3} size="h5" mb={4}>
        {title}
      </Title>
      <Json value={value} label={title.toLowerCase()} />
    </section>
  );
}

function factsOf(record: Detail): readonly (readonly [string, ReactNode])[] {
  const subjects = Object.entries(record.subjects as Record<string, unknown>);
  return [
    ["When", exactTime(new Date(record.at))],
    ["Who", record.principal_name ? `${record.principal_name} (${record.principal_id ?? ""})` : (record.principal_id ?? undefined)],
    ["Roles", record.roles.join(", ") || undefined],
    ["What", record.tool ?? record.action],
    ["Target", record.target ?? undefined],
    ["Bundle", record.bundle ?? undefined],
    ["Outcome", record.outcome.replaceAll("_", " ")],
    ["Rule", record.rule ?? undefined],
    ["Error", record.error ?? undefined],
    ["Through", record.origin ?? undefined],
    ["Took", record.duration_ms === null ? undefined : `${duration(record.duration_ms)}${record.upstream_ms === null ? "" : `, ${duration(record.upstream_ms)} of it upstream`}`],
    ["Upstream", record.upstream_status === null ? undefined : `HTTP ${record.upstream_status}`],
    ["Approval", record.approval_id ?? undefined],
    ["Subjects", subjects.length > 0 ? subjects.map(([name, value]) => `${name} ${String(value)}`).join(", ") : undefined],
    ["Repeated", record.replayed ? "Yes: answered with the stored result" : undefined],
    ["Correlation id", record.correlation_id === null ? undefined : <Copied key="c" value={record.correlation_id} />],
    ["Trace id", record.trace_id === null ? undefined : <Copied key="t" value={record.trace_id} />],
    ["Conversation", record.session_id ?? undefined],
    ["Call", record.execution_id ?? undefined],
  ];
}

function Copied({ value }: { value: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <Code>{value}</Code>
      <CopyButton value={value} />
    </Group>
  );
}

function Proof({ chain }: { chain: Detail["chain"] }) {
  return (
    <section>
      <Title order={3} size="h5" mb={4}>
        Proof
      </Title>
      <Alert
        color={chain.intact ? "green" : "red"}
        variant="light"
        icon={chain.intact ? <IconShieldCheck aria-hidden /> : <IconShieldX aria-hidden />}
        title={chain.intact ? "This record is as it was written" : "This record does not fit its chain"}
      >
        <Text size="sm">
          Record {chain.sequence} of writer {chain.writer_id}, key {chain.key_id}.
        </Text>
        <Text size="xs" ff="monospace" style={{ overflowWrap: "anywhere" }}>
          {chain.hash}
        </Text>
        <Text size="sm" mt={4}>
          {chain.previous ? `Linked to record ${chain.previous.sequence}: ${chain.previous.linked ? "yes" : "no"}. ` : "The first of its chain. "}
          {chain.next ? `Record ${chain.next.sequence} is linked to it: ${chain.next.linked ? "yes" : "no"}.` : "The newest of its chain."}
        </Text>
      </Alert>
    </section>
  );
}
