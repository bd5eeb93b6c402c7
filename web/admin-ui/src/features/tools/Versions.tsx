import { Badge, Button, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice, exactCount, RelativeTime } from "@msil-mcp/ui";
import { useState } from "react";

import { useMay } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";

type Difference = components["schemas"]["DifferenceView"];

/** Every version of a tool, what changed, and which one is offered. */
export function Versions({ name }: { name: string }) {
  const may = useMay();
  const refresh = useRefresh("/api/tools");
  const [compared, setCompared] = useState<number>();
  const path = { name };
  const versions = api.useQuery("get", "/api/tools/{name}/versions", { params: { path, query: { limit: 100 } } });
  const publish = api.useMutation("put", "/api/tools/{name}/published", { onSuccess: refresh });
  if (versions.error && !versions.data) return <ErrorNotice error={versions.error} onRetry={() => void versions.refetch()} />;
  if (!versions.data) return <Skeleton height={200} />;
  const choose = (version: number | null) => publish.mutate({ params: { path }, body: { version } });
  const published = versions.data.items.some((version) => version.published);
  return (
    <Stack>
      {publish.error && <ErrorNotice error={publish.error} />}
      <Table.ScrollContainer minWidth={480}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Version</Table.Th>
              <Table.Th>Made</Table.Th>
              <Table.Th>By</Table.Th>
              <Table.Th>Tokens</Table.Th>
              <Table.Th />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {versions.data.items.map((version) => (
              <Table.Tr key={version.number}>
                <Table.Td>
                  <Group gap="xs" wrap="nowrap">
                    {version.number}
                    {version.published && (
                      <Badge variant="light" color="green" tt="none">
                        published
                      </Badge>
                    )}
                  </Group>
                </Table.Td>
                <Table.Td>
                  <RelativeTime at={version.created_at} />
                </Table.Td>
                <Table.Td>{version.created_by}</Table.Td>
                <Table.Td>{exactCount(version.tokens)}</Table.Td>
                <Table.Td>
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    <Button size="compact-xs" variant="default" onClick={() => setCompared(version.number)}>
                      What changed
                    </Button>
                    {may("tools:write") && !version.published && (
                      <Button size="compact-xs" loading={publish.isPending} onClick={() => choose(version.number)}>
                        Publish
                      </Button>
                    )}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {may("tools:write") && published && (
        <Group>
          <Button size="compact-sm" variant="outline" color="danger" loading={publish.isPending} onClick={() => choose(null)}>
            Withdraw the tool
          </Button>
        </Group>
      )}
      {compared !== undefined && <Changes name={name} version={compared} />}
    </Stack>
  );
}

function Changes({ name, version }: { name: string; version: number }) {
  const found = api.useQuery("get", "/api/tools/{name}/versions/{number}/differences", {
    params: { path: { name, number: version } },
  });
  if (found.error && !found.data) return <ErrorNotice error={found.error} />;
  if (!found.data) return <Skeleton height={120} />;
  const before = found.data.since;
  return (
    <section aria-live="polite">
      <Text fw={600} mb="xs">
        {before === null ? `Version ${version} is the first` : `From version ${before} to ${version}`}
      </Text>
      <Differences differences={found.data.differences} />
    </section>
  );
}

const IMPACTS: Record<Difference["impact"], string> = { breaking: "red", compatible: "green", wording: "gray", behaviour: "yellow" };

/** Each place that changed, with what it was and became. */
export function Differences({ differences }: { differences: readonly Difference[] }) {
  if (differences.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing that a model or a call would notice.
      </Text>
    );
  }
  return (
    <Table>
      <Table.Tbody>
        {differences.map((difference, index) => (
          <Table.Tr key={index}>
            <Table.Td w="7rem">
              <Badge variant="light" tt="none" color={IMPACTS[difference.impact]}>
                {difference.impact}
              </Badge>
            </Table.Td>
            <Table.Td style={{ overflowWrap: "anywhere" }}>
              <Text size="sm" ff="monospace">
                {difference.pointer || "/"}
              </Text>
              {difference.kind !== "added" && (
                <Text size="xs" component="del">
                  {shown(difference.before)}
                </Text>
              )}{" "}
              {difference.kind !== "removed" && (
                <Text size="xs" component="ins">
                  {shown(difference.after)}
                </Text>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
