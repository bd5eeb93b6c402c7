import { Anchor, Button, Group, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState, exactCount, RelativeTime } from "@msil-mcp/ui";
import { IconApi, IconSearch } from "@tabler/icons-react";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { SidePanel } from "../../shared/SidePanel";
import { RiskMark, StateMark, type ToolLine } from "./marks";
import { RISKS, STATES, toolsSearch, type ToolsSearch } from "./search";
import { ToolPanel } from "./ToolPanel";

const PAGE = 200;
const TYPING_MS = 200;

const COLUMNS: Column<ToolLine>[] = [
  { id: "name", header: "Name", value: (row) => row.name, cell: (row) => <span title={row.name}>{row.name}</span> },
  { id: "title", header: "Title", value: (row) => row.title },
  { id: "route", header: "Route", value: (row) => `${row.method} ${row.path}`, isFixedOrder: true },
  { id: "bundles", header: "Bundles", width: 11, value: (row) => row.bundles.join(", "), isFixedOrder: true },
  { id: "risk", header: "Risk", width: 7, value: (row) => row.risk, cell: (row) => <RiskMark risk={row.risk} /> },
  { id: "state", header: "State", width: 11, value: (row) => row.state, cell: (row) => <StateMark state={row.state} />, isFixedOrder: true },
  { id: "tokens", header: "Tokens", width: 7, value: (row) => row.tokens, cell: (row) => exactCount(row.tokens) },
  { id: "updated", header: "Changed", width: 9, value: (row) => row.updated_at, cell: (row) => <RelativeTime at={row.updated_at} /> },
];

/** Every tool: where it goes, who may see it, how it did. */
export function Tools() {
  const may = useMay();
  return (
    <Page
      title="Tools"
      description="What models may call. Open one for its whole story."
      needs="tools:read"
      actions={
        may("tools:write") && (
          <Button component={Link} to="/import">
            Import a document
          </Button>
        )
      }
    >
      {may("tools:read") && <List />}
    </Page>
  );
}

function List() {
  const [search, change] = useAddress(toolsSearch);
  const navigate = useNavigate();
  const { name }: { name?: string } = useParams({ strict: false });
  const { q, bundle, risk, state, sort } = search;
  const query = useMemo(
    () => ({ limit: PAGE, ...(q ? { q } : {}), ...(bundle ? { bundle } : {}), ...(risk ? { risk } : {}), ...(state ? { state } : {}), ...(sort ? { sort } : {}) }),
    [q, bundle, risk, state, sort],
  );
  const tools = api.useInfiniteQuery("get", "/api/tools", { params: { query } }, { ...BY_CURSOR, placeholderData: (before) => before });
  const pages = usePages<ToolLine>(tools);
  const open = (next: string | undefined) =>
    navigate({ to: next ? "/tools/$name" : "/tools", params: { name: next }, search: (before: ToolsSearch) => ({ ...before, tab: undefined }) } as never);
  const isFiltered = Boolean(q ?? bundle ?? risk ?? state);
  return (
    <>
      <Filters search={search} change={change} />
      <DataTable
        label="Tools"
        columns={COLUMNS}
        rowId={(row) => row.name}
        {...pages}
        total={tools.data?.pages[0]?.total}
        sort={sort ?? "name"}
        onSort={(next) => change({ sort: next as ToolsSearch["sort"] & string })}
        isSortedByServer
        selected={name}
        onSelect={(row) => void open(row.name)}
        empty={
          <EmptyState
            icon={IconApi}
            title={isFiltered ? "No tool matches" : "There are no tools yet"}
            action={!isFiltered && <Anchor component={Link} to="/import">Import an OpenAPI document</Anchor>}
          >
            {isFiltered ? "Take a filter away, or look for another word." : "Tools are made from the operations of an OpenAPI document."}
          </EmptyState>
        }
      />
      <SidePanel title={name ?? ""} isOpen={name !== undefined} onClose={() => void open(undefined)} size="xl">
        {name !== undefined && <ToolPanel key={name} name={name} tab={search.tab ?? "model"} onTab={(tab) => change({ tab })} />}
      </SidePanel>
    </>
  );
}

function Filters({ search, change }: { search: ToolsSearch; change: (wanted: Partial<ToolsSearch>) => void }) {
  const later = useDebouncedCallback((q: string) => change({ q }), TYPING_MS);
  const bundles = api.useQuery("get", "/api/bundles");
  const any = (label: string, values: readonly string[]) => [{ value: "", label }, ...values.map((value) => ({ value, label: value }))];
  return (
    <Group gap="xs">
      <TextInput
        size="xs"
        w={260}
        aria-label="Search tools"
        placeholder="Search by name, title or route"
        leftSection={<IconSearch size={14} aria-hidden />}
        defaultValue={search.q ?? ""}
        onChange={(event) => later(event.currentTarget.value.trim())}
      />
      <NativeSelect
        size="xs"
        aria-label="Bundle"
        value={search.bundle ?? ""}
        data={any("Any bundle", bundles.data?.map((bundle) => bundle.name) ?? [])}
        onChange={(event) => change({ bundle: event.currentTarget.value })}
      />
      <NativeSelect
        size="xs"
        aria-label="Risk"
        value={search.risk ?? ""}
        data={any("Any risk", RISKS)}
        onChange={(event) => change({ risk: event.currentTarget.value as ToolsSearch["risk"] & string })}
      />
      <NativeSelect
        size="xs"
        aria-label="State"
        value={search.state ?? ""}
        data={any("Any state", STATES)}
        onChange={(event) => change({ state: event.currentTarget.value as ToolsSearch["state"] & string })}
      />
    </Group>
  );
}
