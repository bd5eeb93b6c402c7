import { Box, Group, SegmentedControl, TextInput } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconInbox, IconSearch } from "@tabler/icons-react";
import { keepPreviousData } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { SidePanel } from "../../shared/SidePanel";
import { ApprovalDetail } from "./ApprovalDetail";
import { approvalsSearch, SHOWN, type Shown } from "./search";
import { type Approval, StateBadge, WORDS } from "./state";

const REFRESH_MS = 3_000;

const COLUMNS: Column<Approval>[] = [
  { id: "sentence", header: "What is asked", value: (row) => row.sentence },
  { id: "tool", header: "Tool", value: (row) => row.tool_name, width: 15 },
  { id: "origin", header: "Through", value: (row) => row.origin, width: 6 },
  { id: "state", header: "State", value: (row) => row.state, cell: (row) => <StateBadge state={row.state} />, width: 8 },
  { id: "asked", header: "Asked", value: (row) => row.created_at, cell: (row) => <RelativeTime at={row.created_at} />, width: 9 },
  {
    id: "expires",
    header: "Open until",
    value: (row) => row.expires_at,
    cell: (row) => (row.state === "pending" ? <RelativeTime at={row.expires_at} /> : "–"),
    width: 9,
  },
];

/** Who may not see everybody's requests sees their own: links in answers lead here. */
export function Approvals() {
  const may = useMay();
  const [{ show = "pending", q = "" }, change] = useAddress(approvalsSearch);
  const { approvalId } = useParams({ strict: false });
  const navigate = useNavigate();
  const query = api.useInfiniteQuery(
    "get",
    "/api/approvals",
    { params: { query: { limit: 50, ...(show === "all" ? {} : { state: show }) } } },
    { ...BY_CURSOR, refetchInterval: REFRESH_MS, placeholderData: keepPreviousData },
  );
  const { rows, ...paging } = usePages(query);
  const found = useMemo(() => rows && matching(rows, q), [rows, q]);
  const open = (id: string) => void navigate({ to: "/approvals/$approvalId", params: { approvalId: id }, search: true });
  return (
    <Page
      title="Approvals"
      description={
        may("approvals:read")
          ? "Calls that wait for a person. Each answer counts for one call and is recorded."
          : "Requests of your own. Those of others are shown to people with the permission approvals:read."
      }
    >
      <Group gap="sm">
        <Box maw="100%" style={{ overflowX: "auto" }}>
          <SegmentedControl
            aria-label="State"
            value={show}
            onChange={(wanted) => change({ show: wanted === "pending" ? undefined : wanted } as { show?: Exclude<Shown, "pending"> })}
            data={SHOWN.map((state) => ({ value: state, label: state === "all" ? "All" : WORDS[state] }))}
          />
        </Box>
        <TextInput
          aria-label="Search in what is shown"
          placeholder="Search in what is shown"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={q}
          onChange={(event) => change({ q: event.currentTarget.value })}
        />
      </Group>
      <DataTable
        label="Requests for approval"
        columns={COLUMNS}
        rows={found}
        rowId={(row) => row.id}
        empty={<Nothing show={show} isSearched={q !== ""} />}
        selected={approvalId}
        onSelect={(row) => open(row.id)}
        {...paging}
      />
      <SidePanel
        title="Request for approval"
        isOpen={approvalId !== undefined}
        onClose={() => void navigate({ to: "/approvals", search: true })}
      >
        {approvalId !== undefined && <ApprovalDetail key={approvalId} id={approvalId} />}
      </SidePanel>
    </Page>
  );
}

function matching(rows: Approval[], q: string): Approval[] {
  // The server gives the newest first; whatever else is shown, what waits comes before it.
  const waitingFirst = [...rows].sort((a, b) => Number(b.state === "pending") - Number(a.state === "pending"));
  const words = q.toLowerCase();
  return waitingFirst.filter((row) =>
    [row.sentence, row.tool_name, row.principal_name, row.id].some((text) => text.toLowerCase().includes(words)),
  );
}

function Nothing({ show, isSearched }: { show: Shown; isSearched: boolean }) {
  if (isSearched) {
    return (
      <EmptyState icon={IconSearch} title="Nothing like that here">
        Look for another word, or under another state.
      </EmptyState>
    );
  }
  if (show === "pending") {
    return (
      <EmptyState icon={IconInbox} title="Nothing waits for you">
        When a program wants to call a tool that writes, its request appears here by itself. People who use the chat
        answer their own there.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconInbox} title={show === "all" ? "Nobody has asked yet" : `Nothing is ${WORDS[show].toLowerCase()}`}>
      Requests are made by calls of tools that write. Call one from an MCP client or from its page under Tools.
    </EmptyState>
  );
}
