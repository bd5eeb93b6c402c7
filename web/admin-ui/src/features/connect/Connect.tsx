import { Anchor, Badge, Code, Group, NativeSelect, Skeleton, Stack, Table, Tabs, Text, Title } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { CopyButton, ErrorNotice } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";

import { useAddress } from "../../shared/address";
import { useMay } from "../../shared/identity";
import { Page } from "../../shared/Page";
import { connectSearch } from "./search";

type View = components["schemas"]["ConnectView"];
type Client = View["clients"][number];

/** How a client gets here: the address, the key, and what each client supports. */
export function Connect() {
  const may = useMay();
  return (
    <Page title="Connect" description="Give an assistant or a program these tools." needs="tools:read">
      {may("tools:read") && <Ways />}
    </Page>
  );
}

function Ways() {
  const [{ bundle, client }, change] = useAddress(connectSearch);
  const may = useMay();
  const all = api.useQuery("get", "/api/connect");
  const view = api.useQuery("get", "/api/connect", { params: { query: bundle ? { bundle } : {} } });
  if (view.error && !view.data) return <ErrorNotice error={view.error} onRetry={() => void view.refetch()} />;
  if (!view.data) return <Skeleton height={480} />;
  const { clients, endpoints, url, placeholder } = view.data;
  const chosen = clients.find((one) => one.id === client) ?? clients[0];
  const choices = (all.data?.endpoints ?? endpoints).map((one) => ({ value: one.bundle ?? "", label: `${one.title} (${one.tools} tools)` }));
  return (
    <Stack>
      <Group align="flex-end">
        <NativeSelect
          label="Which tools"
          data={choices}
          value={bundle ?? ""}
          onChange={(event) => change({ bundle: event.currentTarget.value })}
        />
        <div>
          <Text size="sm" fw={600}>
            Address
          </Text>
          <Group gap={4}>
            <Code fz="sm">{url}</Code>
            <CopyButton value={url} label="Copy the address" />
          </Group>
        </div>
      </Group>
      <Text size="sm">
        In what follows, {placeholder} stands for an API key.{" "}
        {may("keys:manage") ? (
          <Anchor component={Link} to="/keys" size="sm">
            Make one
          </Anchor>
        ) : (
          "Ask an administrator for one."
        )}
      </Text>
      {chosen && (
        <Tabs value={chosen.id} onChange={(next) => change({ client: next ?? "" })}>
          <Tabs.List>
            {clients.map((one) => (
              <Tabs.Tab key={one.id} value={one.id}>
                {one.title}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={chosen.id} pt="md">
            <ClientPanel client={chosen} checked={view.data.checked} />
          </Tabs.Panel>
        </Tabs>
      )}
    </Stack>
  );
}

const ERAS: Record<Client["era"], string> = { sessions: "2025 (sessions)", stateless: "2026 (stateless)", both: "2025 and 2026" };
const COLOURS = { yes: "green", partly: "yellow", no: "gray" } as const;
const SUPPORTED: Record<keyof Client["supports"], string> = {
  tools: "Tools",
  prompts: "Prompts",
  resources: "Resources",
  elicitation: "Asks the person (elicitation)",
  progress: "Progress",
  list_changes: "Follows changes of the list",
  key: "API key",
  oauth: "OAuth sign-in",
};

function ClientPanel({ client, checked }: { client: Client; checked: string }) {
  return (
    <Stack>
      {client.note && <Text size="sm">{client.note}</Text>}
      {client.snippets.map((snippet) => (
        <section key={snippet.title}>
          <Group justify="space-between" gap="xs">
            <Title order={2} size="h5">
              {snippet.title}
              {snippet.file && (
                <Text span size="sm" c="dimmed">
                  {" "}
                  {snippet.file}
                </Text>
              )}
            </Title>
            <CopyButton value={snippet.text} label={`Copy: ${snippet.title}`} />
          </Group>
          <Code block tabIndex={0} role="region" aria-label={snippet.title}>
            {snippet.text}
          </Code>
        </section>
      ))}
      <Table maw={480}>
        <Table.Tbody>
          <Table.Tr>
            <Table.Th>Protocol</Table.Th>
            <Table.Td>{ERAS[client.era]}</Table.Td>
          </Table.Tr>
          {(Object.keys(SUPPORTED) as (keyof Client["supports"])[]).map((name) => (
            <Table.Tr key={name}>
              <Table.Th>{SUPPORTED[name]}</Table.Th>
              <Table.Td>
                <Badge variant="light" tt="none" color={COLOURS[client.supports[name]]}>
                  {client.supports[name]}
                </Badge>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed">
        {client.basis === "tested" ? "From our own tests with this client" : "From the client's own documentation"}, {checked}.
      </Text>
    </Stack>
  );
}
