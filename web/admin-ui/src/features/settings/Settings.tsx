import { Badge, Group, SegmentedControl, TextInput, Tooltip } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { EmptyState } from "@msil-mcp/ui";
import { IconAdjustments } from "@tabler/icons-react";
import { useMemo } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { Page } from "../../shared/Page";
import { settingsSearch } from "./search";

type Setting = components["schemas"]["SettingView"];

const SOURCES: Record<Setting["source"], string> = {
  default: "the default",
  environment: "the environment",
  dotenv: ".env",
  command: "the command line",
};

const COLUMNS: Column<Setting>[] = [
  { id: "name", header: "Setting", width: 19, value: (row) => row.name, cell: (row) => <code>{row.name}</code> },
  { id: "value", header: "Value", width: 18, value: valueOf, cell: (row) => <span title={valueOf(row)}>{valueOf(row)}</span> },
  {
    id: "source",
    header: "From",
    width: 11,
    value: (row) => row.source,
    cell: (row) => (
      <Badge variant="light" tt="none" color={row.source === "default" ? "gray" : "brand"}>
        {SOURCES[row.source]}
      </Badge>
    ),
  },
  { id: "group", header: "About", width: 9, value: (row) => row.group },
  {
    id: "description",
    header: "Meaning",
    value: (row) => row.description,
    cell: (row) => (
      <Tooltip label={row.description} multiline maw={420}>
        <span>{row.description}</span>
      </Tooltip>
    ),
  },
];

function valueOf({ kind, value, is_set }: Setting): string {
  if (kind === "secret") return is_set ? "set, and never shown" : "not set";
  if (value === null || value === "") return "empty";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What is in force, and where it comes from; changed in the environment, not here. */
export function Settings() {
  const [{ q = "", show = "all" }, change] = useAddress(settingsSearch);
  const may = useMay();
  const settings = api.useQuery("get", "/api/settings", {}, { enabled: may("settings:read") });
  const rows = useMemo(() => {
    const word = q.toLowerCase();
    return settings.data?.settings.filter(
      (row) =>
        (show === "all" || row.source !== "default") && `${row.name} ${row.description} ${row.group}`.toLowerCase().includes(word),
    );
  }, [settings.data, q, show]);
  return (
    <Page
      title="Settings"
      description="What is in force, and where it comes from. Settings are changed in the environment, and count from the next start."
      needs="settings:read"
    >
      <Group>
        <TextInput
          size="xs"
          w={260}
          aria-label="Search settings"
          placeholder="Search settings"
          value={q}
          onChange={(event) => change({ q: event.currentTarget.value })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Which settings"
          value={show}
          onChange={(next) => change({ show: next })}
          data={[
            { value: "all", label: "All" },
            { value: "set", label: "Set here" },
          ]}
        />
      </Group>
      <DataTable
        label="Settings"
        columns={COLUMNS}
        rows={rows}
        rowId={(row) => row.name}
        error={settings.error}
        onRetry={() => void settings.refetch()}
        empty={
          <EmptyState icon={IconAdjustments} title="No setting matches">
            Look for another word.
          </EmptyState>
        }
      />
    </Page>
  );
}
