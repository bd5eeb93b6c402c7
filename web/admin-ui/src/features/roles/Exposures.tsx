import { ActionIcon, Alert, Button, Group, SegmentedControl, Select, Stack, Text, Title } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { IconTrash } from "@tabler/icons-react";
import { useState } from "react";

import { ask } from "../../shared/ask";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows, useRefresh } from "../../shared/lists";
import { count, effectOf, type Exposure, type Grant, seenBy, some, type Tool, told } from "./sight";

interface Props {
  role: string;
  exposures: Exposure[];
}

/** Which tools the role sees; the effect of every change is told before it is made. */
export function Exposures({ role, exposures }: Props) {
  const may = useMay();
  const refresh = useRefresh("/api/roles", "/api/tools");
  const { rows: tools } = useAllRows(
    api.useInfiniteQuery(
      "get",
      "/api/tools",
      { params: { query: { limit: 1000 } } },
      { ...BY_CURSOR, enabled: may("tools:read") },
    ),
  );
  const remove = api.useMutation("delete", "/api/roles/exposures/{exposure_id}", { onSuccess: refresh });
  const seen = tools && seenBy(exposures, tools);
  return (
    <Stack gap="xs">
      <Title order={3} size="h5">
        Sees
      </Title>
      <Text size="sm">
        {exposures.length === 0 ? "No tools yet. Show it some below." : seen && `${count(seen.size, "tool")} in force.`}
      </Text>
      {exposures.map((exposure) => (
        <Group key={exposure.id} justify="space-between" wrap="nowrap" px="sm" py={4} bd="1px solid var(--msil-line)" bdrs="md">
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {told(exposure)}
          </Text>
          {!(role === "administrator" && exposure.kind === "all") && (
            <ActionIcon
              variant="subtle"
              color="danger"
              aria-label={`Take ${told(exposure)} away`}
              loading={remove.isPending && remove.variables.params.path.exposure_id === exposure.id}
              onClick={() =>
                ask({
                  title: `Take ${told(exposure)} away from ${role}?`,
                  text: lossOf(exposure, exposures, tools),
                  confirm: "Take away",
                  onConfirm: () => remove.mutate({ params: { path: { exposure_id: exposure.id } } }),
                })
              }
            >
              <IconTrash size={16} aria-hidden />
            </ActionIcon>
          )}
        </Group>
      ))}
      {remove.error && <ErrorNotice error={remove.error} />}
      {!exposures.some(({ kind }) => kind === "all") && <Show role={role} exposures={exposures} tools={tools} />}
    </Stack>
  );
}

function lossOf(gone: Exposure, exposures: readonly Exposure[], tools: readonly Tool[] | undefined): string {
  const speed = "It counts for every caller within a second.";
  if (!tools) return speed;
  const rest = exposures.filter(({ id }) => id !== gone.id);
  const { lost, seen } = effectOf(exposures, rest, tools);
  if (lost.length === 0) return `Nothing disappears: the role sees ${count(seen, "tool")} by other grants.`;
  return `${count(lost.length, "tool")} can no longer be seen or called: ${some(lost)}. ${count(seen, "tool")} would remain. ${speed}`;
}

interface ShowProps extends Props {
  tools: Tool[] | undefined;
}

function Show({ role, exposures, tools }: ShowProps) {
  const may = useMay();
  const refresh = useRefresh("/api/roles", "/api/tools");
  const bundles = api.useQuery("get", "/api/bundles", {}, { enabled: may("tools:read") });
  const [kind, setKind] = useState<Grant["kind"]>("bundle");
  const [target, setTarget] = useState<string | null>(null);
  const add = api.useMutation("post", "/api/roles/exposures", {
    onSuccess: async () => {
      setTarget(null);
      await refresh();
    },
  });
  const isChosen = kind === "all" || target !== null;
  const grant: Grant = { kind, target: kind === "all" ? "" : (target ?? "") };
  const names = kind === "bundle" ? bundles.data?.map((one) => one.name) : tools?.map((one) => one.name);
  return (
    <Stack gap="xs">
      <Group gap="xs" align="flex-end">
        <SegmentedControl
          aria-label="Show"
          size="sm"
          value={kind}
          onChange={(wanted) => {
            setKind(wanted);
            setTarget(null);
          }}
          data={[
            { value: "bundle", label: "A bundle" },
            { value: "tool", label: "One tool" },
            { value: "all", label: "All tools" },
          ]}
        />
        {kind !== "all" && (
          <Select
            aria-label={kind === "bundle" ? "Bundle" : "Tool"}
            placeholder={kind === "bundle" ? "Which bundle" : "Which tool"}
            searchable
            limit={100}
            data={names ?? []}
            value={target}
            onChange={setTarget}
            nothingFoundMessage="Nothing by that name"
          />
        )}
      </Group>
      {isChosen && tools && <Gain role={role} exposures={exposures} grant={grant} tools={tools} />}
      {add.error && <ErrorNotice error={add.error} />}
      <Group>
        <Button
          variant="default"
          disabled={!isChosen}
          loading={add.isPending}
          onClick={() => add.mutate({ body: { role, ...grant } })}
        >
          Show it to {role}
        </Button>
      </Group>
    </Stack>
  );
}

function Gain({ role, exposures, grant, tools }: { role: string; exposures: Exposure[]; grant: Grant; tools: Tool[] }) {
  const { gained, seen } = effectOf(exposures, [...exposures, grant], tools);
  return (
    <Alert color="orange" variant="outline" role="status" title="What this changes">
      <Text size="sm">
        {gained.length === 0
          ? `Nothing for now: ${role} sees these already, or none of them is published. What is added later is seen too.`
          : `${role} would see ${count(gained.length, "tool")} more: ${some(gained)}. In all it would see ${count(seen, "tool")}.`}
      </Text>
    </Alert>
  );
}
