import { Anchor, Badge, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { duration, ErrorNotice, exactCount, percentage, RelativeTime } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";

const RECENT = 20;
const none = "–";

/** How a tool did since yesterday, and its newest calls. */
export function Calls({ name }: { name: string }) {
  const path = { name };
  const summary = api.useQuery("get", "/api/analytics/tools/{name}", { params: { path } });
  const recent = api.useQuery("get", "/api/analytics/tools/{name}/calls", { params: { path, query: { limit: RECENT } } });
  const error = summary.error ?? recent.error;
  if (!summary.data || !recent.data) {
    const retry = () => void Promise.all([summary.refetch(), recent.refetch()]);
    return error ? <ErrorNotice error={error} onRetry={retry} /> : <Skeleton height={240} />;
  }
  const { totals } = summary.data;
  const took = (value: number | null) => (value === null ? none : duration(value));
  return (
    <Stack>
      <Group gap="lg">
        <Text size="sm">{exactCount(totals.calls)} calls in 24 hours</Text>
        <Text size="sm">{totals.success_rate === null ? none : percentage(totals.success_rate)} succeeded</Text>
        <Text size="sm">{exactCount(totals.denied)} refused</Text>
        <Text size="sm">
          P50 {took(totals.p50_ms)} · P95 {took(totals.p95_ms)} · P99 {took(totals.p99_ms)}
        </Text>
      </Group>
      {recent.data.items.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nobody has called this tool yet.
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={480}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>Who</Table.Th>
                <Table.Th>Through</Table.Th>
                <Table.Th>Outcome</Table.Th>
                <Table.Th>Took</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {recent.data.items.map((call) => (
                <Table.Tr key={call.id}>
                  <Table.Td>
                    <Anchor component={Link} to={`/audit/${call.id}`} size="sm">
                      <RelativeTime at={call.at} />
                    </Anchor>
                  </Table.Td>
                  <Table.Td>{call.principal_name ?? call.principal_id ?? none}</Table.Td>
                  <Table.Td>{call.origin ?? none}</Table.Td>
                  <Table.Td>
                    <Badge variant="light" tt="none" color={call.outcome === "succeeded" ? "green" : "gray"}>
                      {call.outcome.replaceAll("_", " ")}
                    </Badge>
                  </Table.Td>
                  <Table.Td>{took(call.duration_ms)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  );
}
