import { Alert, Group, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { api, type components } from "@msil-mcp/api";
import { EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconEye, IconMessages } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { SidePanel } from "../../shared/SidePanel";
import { ConversationPanel } from "./ConversationPanel";
import { conversationsSearch, DELETED } from "./search";

type Line = components["schemas"]["ConversationLine"];
type Deleted = (typeof DELETED)[number];

const TYPING_MS = 300;
const PAGE = 100;

const COLUMNS: Column<Line>[] = [
  { id: "title", header: "Title", value: (row) => row.title || "(without a title)" },
  { id: "owner", header: "Person", width: 14, value: (row) => row.owner_name ?? row.owner_id },
  { id: "messages", header: "Messages", width: 7, value: (row) => row.messages },
  { id: "model", header: "Model", width: 11, value: (row) => row.model ?? "default" },
  {
    id: "last",
    header: "Last said",
    width: 10,
    value: (row) => row.last_message_at,
    cell: (row) => (row.last_message_at ? <RelativeTime at={row.last_message_at} /> : "–"),
  },
];

/** What people and the assistant said, masked, for those who may read it; each look is recorded. */
export function Conversations() {
  const may = useMay();
  return (
    <Page title="Conversations" description="What people and the assistant said, masked as the policy says." needs="chat:read_all">
      {may("chat:read_all") && <List />}
    </Page>
  );
}

function List() {
  const [{ q, owner, deleted = "without" }, change] = useAddress(conversationsSearch);
  const later = useDebouncedCallback(change, TYPING_MS);
  const navigate = useNavigate();
  const { sessionId }: { sessionId?: string } = useParams({ strict: false });
  const found = api.useInfiniteQuery(
    "get",
    "/api/conversations",
    { params: { query: { deleted, limit: PAGE, ...(q ? { q } : {}), ...(owner ? { owner } : {}) } } },
    { ...BY_CURSOR, placeholderData: (before) => before },
  );
  const pages = usePages<Line>(found);
  const go = (id: string | undefined) =>
    void navigate({ to: id ? "/conversations/$sessionId" : "/conversations", params: { sessionId: id }, search: (before: object) => before } as never);
  return (
    <>
      <Alert variant="light" color="gray" icon={<IconEye aria-hidden />} py="xs">
        Reading somebody&apos;s conversations is recorded in the audit trail, with your name.
      </Alert>
      <Group gap="xs">
        <TextInput
          size="xs"
          w={240}
          aria-label="Search conversations"
          placeholder="Search titles and what was said"
          defaultValue={q ?? ""}
          onChange={(event) => later({ q: event.currentTarget.value.trim() })}
        />
        <TextInput
          size="xs"
          w={180}
          aria-label="Whose conversations"
          placeholder="Whose, as user:7"
          defaultValue={owner ?? ""}
          onChange={(event) => later({ owner: event.currentTarget.value.trim() })}
        />
        <NativeSelect
          size="xs"
          aria-label="Deleted conversations"
          value={deleted}
          data={[
            { value: "without", label: "Without deleted ones" },
            { value: "with", label: "With deleted ones" },
            { value: "only", label: "Deleted ones alone" },
          ]}
          onChange={(event) => change({ deleted: event.currentTarget.value as Deleted })}
        />
      </Group>
      <DataTable
        label="Conversations"
        columns={COLUMNS}
        rowId={(row) => row.id}
        {...pages}
        selected={sessionId}
        onSelect={(row) => go(row.id)}
        empty={
          <EmptyState icon={IconMessages} title="No conversation was found">
            Nobody has talked to the assistant yet, or nothing fits these filters.
          </EmptyState>
        }
      />
      <SidePanel title="Conversation" isOpen={sessionId !== undefined} onClose={() => go(undefined)} size="xl">
        {sessionId !== undefined && <ConversationPanel key={sessionId} id={sessionId} />}
      </SidePanel>
    </>
  );
}
