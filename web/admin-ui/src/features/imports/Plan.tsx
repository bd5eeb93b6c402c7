import { Alert, Badge, Button, Card, Checkbox, Group, List, Progress, Stack, Switch, Table, Text, Title } from "@mantine/core";
import { useCallbackRef } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice, exactCount } from "@msil-mcp/ui";
import { useNavigate } from "@tanstack/react-router";
import { memo, type ReactNode, useEffect, useState } from "react";

import { useRefresh } from "../../shared/lists";

type PlanView = components["schemas"]["PlanView"];
type Draft = components["schemas"]["DraftView"];
type Operation = PlanView["operations"][number];

const CHANGES: Record<Operation["change"], string> = {
  added: "green",
  changed: "yellow",
  unchanged: "gray",
  removed: "red",
  restored: "green",
};

/** What the document would add, change and take away; the administrator chooses, then it happens. */
export function Plan({ draft, plan, back }: { draft: Draft; plan: PlanView; back: ReactNode }) {
  const navigate = useNavigate();
  const refresh = useRefresh("/api/tools", "/api/bundles", "/api/specs", "/api/imports");
  const [chosen, setChosen] = useState(() => new Set(plan.operations.filter((one) => one.selected).map((one) => one.operation_id)));
  const [isPublished, setIsPublished] = useState(true);
  const apply = api.useMutation("post", "/api/imports/{draft_id}/apply", {
    onSuccess: async (done) => {
      await refresh();
      notifications.show({ message: `${done.tools.length} tools of ${done.title} are ${done.published ? "imported and published" : "imported"}.` });
      await navigate({ to: "/tools", search: done.bundles[0] ? { bundle: done.bundles[0] } : {} } as never);
    },
  });
  const drop = api.useMutation("delete", "/api/imports/{draft_id}", { onSuccess: () => navigate({ to: "/import" } as never) });
  const selectable = plan.operations.filter((one) => one.change !== "removed");
  const tokens = selectable.filter((one) => chosen.has(one.operation_id)).reduce((sum, one) => sum + one.tokens, 0);
  const toggle = useCallbackRef((id: string) =>
    setChosen((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    }),
  );
  // What is being imported stays as it was when that began.
  const isFixed = apply.isPending || drop.isPending;
  const params = { path: { draft_id: draft.id } };
  return (
    <Stack>
      <Card withBorder>
        <Group justify="space-between">
          <div>
            <Title order={2} size="h4">
              {plan.title} {plan.api_version}
            </Title>
            <Text size="sm" c="dimmed">
              OpenAPI {plan.openapi_version}, {exactCount(plan.size)} bytes, calls go to {plan.base_url}
            </Text>
          </div>
          <Group gap={6}>
            {(["added", "changed", "unchanged", "removed", "restored", "rejected"] as const).map(
              (name) =>
                plan.counts[name] > 0 && (
                  <Badge key={name} variant="light" tt="none" color={name === "rejected" ? "red" : CHANGES[name]}>
                    {plan.counts[name]} {name}
                  </Badge>
                ),
            )}
          </Group>
        </Group>
        {plan.same_document && <Text size="sm">This very document was imported before.</Text>}
      </Card>
      {plan.rejected.length > 0 && (
        <Alert color="yellow" variant="light" title={`${plan.rejected.length} operations cannot become tools`}>
          <List size="sm">
            {plan.rejected.map((one) => (
              <List.Item key={one.operation}>
                <code>{one.operation}</code>: {one.reason}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <Table.ScrollContainer minWidth={560} mah="calc(100dvh - 26rem)">
        <Table stickyHeader aria-label="Operations">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={40}>
                <Checkbox
                  aria-label="All operations"
                  disabled={isFixed}
                  checked={chosen.size === selectable.length}
                  indeterminate={chosen.size > 0 && chosen.size < selectable.length}
                  onChange={(event) => setChosen(new Set(event.currentTarget.checked ? selectable.map((one) => one.operation_id) : []))}
                />
              </Table.Th>
              <Table.Th>Tool</Table.Th>
              <Table.Th>Operation</Table.Th>
              <Table.Th>Change</Table.Th>
              <Table.Th>Risk</Table.Th>
              <Table.Th ta="right">Tokens</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {plan.operations.map((one) => (
              <Line key={one.operation} of={one} isChosen={chosen.has(one.operation_id)} isFixed={isFixed} onToggle={toggle} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {apply.isPending && <Applying tools={chosen.size} isPublished={isPublished} />}
      {apply.error && <ErrorNotice error={apply.error} />}
      {drop.error && <ErrorNotice error={drop.error} />}
      <Group>
        <Button
          disabled={drop.isPending || (chosen.size === 0 && plan.counts.removed === 0)}
          loading={apply.isPending}
          onClick={() => apply.mutate({ params, body: { publish: isPublished, select: [...chosen] } })}
        >
          Import {chosen.size} {chosen.size === 1 ? "tool" : "tools"}
          {isPublished ? " and publish" : ""}
        </Button>
        <Switch label="Publish at once" disabled={isFixed} checked={isPublished} onChange={(event) => setIsPublished(event.currentTarget.checked)} />
        <Text size="sm" c="dimmed" role="status">
          {exactCount(tokens)} tokens in a request that offers them all
        </Text>
        <Button variant="subtle" disabled={apply.isPending} loading={drop.isPending} onClick={() => drop.mutate({ params })}>
          Throw the plan away
        </Button>
        {!isFixed && back}
      </Group>
    </Stack>
  );
}

interface LineProps {
  of: Operation;
  isChosen: boolean;
  isFixed: boolean;
  onToggle: (id: string) => void;
}

/** Memoised: a document may have thousands of them, and one is ticked at a time. */
const Line = memo(function Line({ of: one, isChosen, isFixed, onToggle }: LineProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <Checkbox
          aria-label={one.tool}
          disabled={isFixed || one.change === "removed"}
          checked={isChosen}
          onChange={() => onToggle(one.operation_id)}
        />
      </Table.Td>
      <Table.Td>
        <Text size="sm" fw={600}>
          {one.tool}
        </Text>
        <Text size="xs" c="dimmed">
          {one.title}
        </Text>
        {one.notes.map((note) => (
          <Text key={note.pointer + note.reason} size="xs">
            {note.reason}
          </Text>
        ))}
      </Table.Td>
      <Table.Td>
        <code>{one.operation}</code>
      </Table.Td>
      <Table.Td>
        <Badge variant="light" tt="none" color={CHANGES[one.change]}>
          {one.impact && one.change === "changed" ? `changed: ${one.impact}` : one.change}
        </Badge>
      </Table.Td>
      <Table.Td>{one.risk}</Table.Td>
      <Table.Td ta="right">{exactCount(one.tokens)}</Table.Td>
    </Table.Tr>
  );
});

const SECOND_MS = 1_000;

/**
 * The server imports in one transaction and tells nothing in between, so there is no share to show:
 * what is done, and for how long.
 */
function Applying({ tools, isPublished }: { tools: number; isPublished: boolean }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((now) => now + 1), SECOND_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <Card withBorder aria-busy>
      <Text role="status">
        Importing {exactCount(tools)} {tools === 1 ? "tool" : "tools"}
        {isPublished ? " and publishing" : ""}: the document is compared once more, then everything is stored at once.
      </Text>
      <Progress value={100} animated my="xs" aria-label="The import is under way" />
      <Text size="sm" c="dimmed">
        {seconds} s so far. Until it has ended nothing has changed; if you leave this page it goes on at the server.
      </Text>
    </Card>
  );
}
