import { Badge, Button, Group, Menu, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { api, type components } from "@msil-mcp/api";
import { duration, EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconDownload, IconHistory } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { RangeControl, startOf } from "../../shared/range";
import { SidePanel } from "../../shared/SidePanel";
import { RecordDetail } from "./RecordDetail";
import { type AuditSearch, auditSearch, KINDS, OUTCOMES, queryOf } from "./search";
import { Verify } from "./Verify";

type AuditRecord = components["schemas"]["RecordView"];

const TYPING_MS = 300;
const PAGE = 100;

const OUTCOME_COLOURS: Record<string, string> = {
  succeeded: "green",
  failed: "red",
  denied: "yellow",
  needs_confirmation: "grape",
};

const COLUMNS: Column<AuditRecord>[] = [
  { id: "at", header: "When", width: 9, value: (row) => row.at, cell: (row) => <RelativeTime at={row.at} /> },
  { id: "who", header: "Who", width: 13, value: (row) => row.principal_name ?? row.principal_id },
  { id: "what", header: "What", value: (row) => row.tool ?? row.action, cell: (row) => row.tool ?? `${row.action} ${row.target ?? ""}` },
  {
    id: "outcome",
    header: "Outcome",
    width: 11,
    value: (row) => row.outcome,
    cell: (row) => (
      <Badge variant="light" tt="none" color={OUTCOME_COLOURS[row.outcome] ?? "gray"}>
        {row.outcome.replaceAll("_", " ")}
      </Badge>
    ),
  },
  { id: "origin", header: "Through", width: 7, value: (row) => row.origin },
  { id: "took", header: "Took", width: 7, value: (row) => row.duration_ms, cell: (row) => (row.duration_ms === null ? "–" : duration(row.duration_ms)) },
];

/** Who did what, when, with whose permission; and the proof that nothing was changed since. */
export function Audit() {
  const [search, change] = useAddress(auditSearch);
  const may = useMay();
  return (
    <Page
      title="Audit"
      description="Who did what, and the proof that the record was not changed since."
      needs="audit:read"
      actions={
        <Group gap="xs">
          <Verify />
          {may("audit:export") && <Export search={search} />}
        </Group>
      }
    >
      {may("audit:read") && <Trail search={search} change={change} />}
    </Page>
  );
}

function Export({ search }: { search: AuditSearch }) {
  const query = new URLSearchParams(queryOf(search, search.range && startOf(search.range, new Date())));
  const href = (format: string) => `/api/audit/export?${new URLSearchParams({ format, ...Object.fromEntries(query) }).toString()}`;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" size="compact-md" leftSection={<IconDownload size={16} aria-hidden />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={href("jsonl")} download>
          As JSON lines
        </Menu.Item>
        <Menu.Item component="a" href={href("csv")} download>
          As CSV
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Trail({ search, change }: { search: AuditSearch; change: (wanted: Partial<AuditSearch>) => void }) {
  const navigate = useNavigate();
  const { recordId }: { recordId?: string } = useParams({ strict: false });
  const [opened] = useState(() => new Date());
  const since = search.range && startOf(search.range, opened);
  const trail = api.useInfiniteQuery(
    "get",
    "/api/audit",
    { params: { query: { limit: PAGE, ...queryOf(search, since) } } },
    { ...BY_CURSOR, placeholderData: (before) => before },
  );
  const pages = usePages<AuditRecord>(trail);
  const open = (id: string | undefined) =>
    navigate({ to: id ? "/audit/$recordId" : "/audit", params: { recordId: id }, search: (before: object) => before } as never);
  return (
    <>
      <Filters search={search} change={change} />
      <DataTable
        label="Audit records"
        columns={COLUMNS}
        rowId={(row) => String(row.id)}
        {...pages}
        selected={recordId}
        onSelect={(row) => void open(String(row.id))}
        empty={
          <EmptyState icon={IconHistory} title="No record matches">
            Nothing was recorded that fits these filters. Widen the time or take a filter away.
          </EmptyState>
        }
      />
      <SidePanel title="Record" isOpen={recordId !== undefined} onClose={() => void open(undefined)} size="xl">
        {recordId !== undefined && <RecordDetail id={Number(recordId)} />}
      </SidePanel>
    </>
  );
}

const TEXTS = [
  ["tool", "Tool"],
  ["who", "Caller's id"],
  ["action", "Action"],
  ["subject", "Subject, as a booking id"],
  ["correlation", "Correlation id"],
] as const;

function Filters({ search, change }: { search: AuditSearch; change: (wanted: Partial<AuditSearch>) => void }) {
  const later = useDebouncedCallback(change, TYPING_MS);
  const any = (label: string, values: readonly string[]) => [{ value: "", label }, ...values.map((value) => ({ value, label: value.replaceAll("_", " ") }))];
  return (
    <Group gap="xs" align="flex-end">
      <RangeControl range={search.range ?? "30d"} onChange={(range) => change({ range })} />
      <NativeSelect
        size="xs"
        aria-label="Outcome"
        value={search.outcome ?? ""}
        data={any("Any outcome", OUTCOMES)}
        onChange={(event) => change({ outcome: event.currentTarget.value as AuditSearch["outcome"] & string })}
      />
      <NativeSelect
        size="xs"
        aria-label="Kind"
        value={search.kind ?? ""}
        data={any("Any kind", KINDS)}
        onChange={(event) => change({ kind: event.currentTarget.value as AuditSearch["kind"] & string })}
      />
      {TEXTS.map(([name, label]) => (
        <TextInput
          key={name}
          size="xs"
          w={170}
          aria-label={label}
          placeholder={label}
          defaultValue={search[name] ?? ""}
          onChange={(event) => later({ [name]: event.currentTarget.value.trim() })}
        />
      ))}
    </Group>
  );
}
