import { Button, Code, Group, Select, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconKey, IconPlus, IconSearch } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { ShownOnce } from "../../shared/ShownOnce";
import { SidePanel } from "../../shared/SidePanel";
import { AddKey } from "./AddKey";
import { KeyDetail } from "./KeyDetail";
import { keysSearch, type KeysSearch } from "./search";
import { type Key, KeyStanding, stateOf } from "./standing";

const COLUMNS: Column<Key>[] = [
  { id: "name", header: "Name", value: (row) => row.name },
  { id: "prefix", header: "Begins with", value: (row) => row.prefix, cell: (row) => <Code>{row.prefix}…</Code>, width: 11 },
  { id: "roles", header: "Roles", value: (row) => row.roles.join(", "), width: 10 },
  { id: "state", header: "State", value: (row) => stateOf(row), cell: (row) => <KeyStanding of={row} />, width: 10 },
  {
    id: "used",
    header: "Last used",
    value: (row) => row.last_used_at ?? "",
    cell: (row) => (row.last_used_at ? <RelativeTime at={row.last_used_at} /> : "never"),
    width: 9,
  },
  {
    id: "expires",
    header: "Expires",
    value: (row) => row.expires_at ?? "9",
    cell: (row) => (row.expires_at ? <RelativeTime at={row.expires_at} /> : "never"),
    width: 9,
  },
];

/** A key just made, and what to say of it. */
export interface Fresh {
  token: string;
  name: string;
  note: string;
}

export function Keys() {
  const may = useMay();
  const [search, change] = useAddress(keysSearch);
  const { keyId } = useParams({ strict: false });
  const navigate = useNavigate();
  const [isAdding, adding] = useDisclosure(false);
  const [fresh, setFresh] = useState<Fresh | null>(null);
  const query = api.useInfiniteQuery(
    "get",
    "/api/keys",
    { params: { query: { limit: 200 } } },
    { ...BY_CURSOR, enabled: may("keys:manage") },
  );
  const { rows, ...rest } = useAllRows(query);
  const found = useMemo(() => rows?.filter((row) => matches(row, search)), [rows, search]);
  const chosen = rows?.find((row) => String(row.id) === keyId);
  return (
    <Page
      title="Keys"
      description="Programs call with a key. It is shown once, and ends everywhere within a second."
      needs="keys:manage"
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={adding.open}>
          Make a key
        </Button>
      }
    >
      <Group gap="sm">
        <TextInput
          aria-label="Search keys"
          placeholder="Name or beginning"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={search.q ?? ""}
          onChange={(event) => change({ q: event.currentTarget.value })}
        />
        <Select
          aria-label="State"
          placeholder="In force"
          clearable
          clearButtonProps={{ "aria-label": "In force" }}
          data={[
            { value: "expiring", label: "Expires soon" },
            { value: "ended", label: "Ended or expired" },
            { value: "all", label: "All" },
          ]}
          value={search.show ?? null}
          onChange={(show) => change({ show: show as "all" })}
        />
      </Group>
      <DataTable
        label="Keys"
        columns={COLUMNS}
        rows={found}
        rowId={(row) => String(row.id)}
        sort={search.sort}
        onSort={(sort) => change({ sort: sort ?? "" })}
        selected={keyId}
        onSelect={(row) => void navigate({ to: "/keys/$keyId", params: { keyId: String(row.id) }, search: true })}
        empty={
          search.q !== undefined || search.show !== undefined ? (
            <EmptyState icon={IconSearch} title="No key like that">
              Look for another name, or at keys in another state.
            </EmptyState>
          ) : (
            <EmptyState icon={IconKey} title="No keys in force">
              Make one for each program that calls, so that each can be told apart and ended by itself.
            </EmptyState>
          )
        }
        {...rest}
      />
      <SidePanel title="Key" isOpen={keyId !== undefined} onClose={() => void navigate({ to: "/keys", search: true })}>
        {rows && keyId !== undefined && (chosen ? <KeyDetail key={keyId} of={chosen} onFresh={setFresh} /> : <Gone />)}
      </SidePanel>
      <AddKey
        isOpen={isAdding}
        onClose={adding.close}
        onAdded={({ token, key }) => {
          adding.close();
          setFresh({ token, name: key.name, note: "Clients send it as Authorization: Bearer, followed by the key." });
        }}
      />
      <ShownOnce title={`The key ${fresh?.name ?? ""}`} name="key" secret={fresh?.token ?? null} onClose={() => setFresh(null)}>
        {fresh?.note}
      </ShownOnce>
    </Page>
  );
}

function Gone() {
  return (
    <EmptyState icon={IconKey} title="There is no such key">
      The address may be mistyped. Keys that have ended stay in the list, under Ended or expired.
    </EmptyState>
  );
}

function matches(key: Key, { q = "", show }: KeysSearch): boolean {
  const state = stateOf(key);
  const isShown = show === "all" || (show === undefined ? state !== "ended" : state === show);
  const words = q.toLowerCase();
  return isShown && (key.name.toLowerCase().includes(words) || key.prefix.toLowerCase().includes(words));
}
