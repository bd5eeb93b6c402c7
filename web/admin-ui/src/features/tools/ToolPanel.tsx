import { Group, Skeleton, Stack, Tabs, Text, Title } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { ErrorNotice, exactCount, Json, RelativeTime } from "@msil-mcp/ui";

import { Facts } from "../../shared/Facts";
import { useMay } from "../../shared/identity";
import { Calls } from "./Calls";
import { EditTool } from "./EditTool";
import { RiskMark, StateMark, type ToolDetail } from "./marks";
import { TABS } from "./search";
import { TryIt } from "./TryIt";
import { Versions } from "./Versions";
import { WhoSees } from "./WhoSees";

type Tab = (typeof TABS)[number];

const LABELS: Record<Tab, string> = {
  model: "What the model sees",
  try: "Try it",
  versions: "Versions",
  sight: "Who may see it",
  calls: "How it did",
  edit: "Edit",
};

/** One tool's whole story. */
export function ToolPanel({ name, tab, onTab }: { name: string; tab: Tab; onTab: (tab: Tab) => void }) {
  const may = useMay();
  const { data, error, refetch } = api.useQuery("get", "/api/tools/{name}", { params: { path: { name } } });
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={480} />;
  const tabs = TABS.filter((one) => (one !== "edit" || may("tools:write")) && (one !== "calls" || may("analytics:read")));
  return (
    <Stack>
      <Group gap="xs">
        <RiskMark risk={data.risk} />
        <StateMark state={data.state} />
        <Text size="sm" c="dimmed">
          {exactCount(data.tokens)} tokens in every request that offers it
        </Text>
      </Group>
      <Tabs value={tabs.includes(tab) ? tab : "model"} onChange={(next) => onTab((next ?? "model") as Tab)} keepMounted={false}>
        <Tabs.List>
          {tabs.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {LABELS[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="model" pt="md">
          <Overview tool={data} />
        </Tabs.Panel>
        <Tabs.Panel value="try" pt="md">
          <TryIt tool={data} />
        </Tabs.Panel>
        <Tabs.Panel value="versions" pt="md">
          <Versions name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="sight" pt="md">
          <WhoSees name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="calls" pt="md">
          <Calls name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="edit" pt="md">
          <EditTool key={data.hash} tool={data} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Overview({ tool }: { tool: ToolDetail }) {
  return (
    <Stack>
      <Text style={{ whiteSpace: "pre-wrap" }}>{tool.description}</Text>
      <Facts
        facts={[
          ["Goes to", `${tool.route.method} ${tool.route.base_url}${tool.route.path}`],
          ["Operation", `${tool.operation_id}${tool.spec ? ` of ${tool.spec}` : ""}`],
          ["Bundles", tool.bundles.join(", ") || "none"],
          ["Confirmation", tool.needs_confirmation ? "A person is asked before every call" : "Not asked for"],
          ["Repeating", tool.idempotent_upstream ? "The service honours Idempotency-Key" : undefined],
          ["Masked", tool.personal.length > 0 ? tool.personal.map((field) => `${field.path} (${field.kind})`).join(", ") : undefined],
          ["Found by", tool.audit_subjects.join(", ") || undefined],
          ["Version", `${tool.version}${tool.published_version === null ? ", not published" : `, published ${tool.published_version}`}`],
          ["Changed", <RelativeTime key="changed" at={tool.updated_at} />],
        ]}
      />
      <section>
        <Title order={3} size="h5" mb={4}>
          Exactly what a model is given
        </Title>
        <Json value={tool.model_view} label="what a model is given" maxHeight={420} />
      </section>
    </Stack>
  );
}
