import { Button, Group, Select, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState, RelativeTime } from "@msil-mcp/ui";
import { IconPlus, IconSearch, IconUsers } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { ShownOnce } from "../../shared/ShownOnce";
import { SidePanel } from "../../shared/SidePanel";
import { AddUser } from "./AddUser";
import { usersSearch } from "./search";
import { type User, UserStanding } from "./standing";
import { UserDetail } from "./UserDetail";

const COLUMNS: Column<User>[] = [
  { id: "name", header: "Name", value: (row) => row.display_name, width: 16 },
  { id: "username", header: "Username", value: (row) => row.username },
  { id: "roles", header: "Roles", value: (row) => row.roles.join(", "), width: 14 },
  { id: "active", header: "State", value: (row) => Number(row.active), cell: (row) => <UserStanding user={row} />, width: 9 },
  {
    id: "login",
    header: "Last sign-in",
    value: (row) => row.last_login_at ?? "",
    cell: (row) => (row.last_login_at ? <RelativeTime at={row.last_login_at} /> : "never"),
    width: 9,
  },
];

export interface Told {
  username: string;
  password: string;
}

export function Users() {
  const may = useMay();
  const [search, change] = useAddress(usersSearch);
  const { userId } = useParams({ strict: false });
  const navigate = useNavigate();
  const [isAdding, adding] = useDisclosure(false);
  const [told, setTold] = useState<Told | null>(null);
  const query = api.useInfiniteQuery(
    "get",
    "/api/users",
    { params: { query: { limit: 200 } } },
    { ...BY_CURSOR, enabled: may("users:manage") },
  );
  const { rows, ...rest } = useAllRows(query);
  const roles = useMemo(() => [...new Set(rows?.flatMap((row) => row.roles))].sort(), [rows]);
  const found = useMemo(() => rows?.filter((row) => matches(row, search)), [rows, search]);
  const isFiltered = search.q !== undefined || search.show !== undefined || search.role !== undefined;
  const open = (id: number) => void navigate({ to: "/users/$userId", params: { userId: String(id) }, search: true });
  return (
    <Page
      title="Users"
      description="People who sign in here. A user is never deleted, only disabled: the audit trail names users."
      needs="users:manage"
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={adding.open}>
          Add a user
        </Button>
      }
    >
      <Group gap="sm">
        <TextInput
          aria-label="Search users"
          w={270}
          maw="100%"
          placeholder="Name, username or address"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={search.q ?? ""}
          onChange={(event) => change({ q: event.currentTarget.value })}
        />
        <Select
          aria-label="State"
          placeholder="Active and disabled"
          clearable
          clearButtonProps={{ "aria-label": "Active and disabled" }}
          data={[
            { value: "active", label: "Active" },
            { value: "disabled", label: "Disabled" },
          ]}
          value={search.show ?? null}
          onChange={(show) => change({ show: show as "active" })}
        />
        <Select
          aria-label="Role"
          placeholder="Any role"
          clearable
          searchable
          clearButtonProps={{ "aria-label": "Any role" }}
          data={roles}
          value={search.role ?? null}
          onChange={(role) => change({ role: role ?? "" })}
        />
      </Group>
      <DataTable
        label="Users"
        columns={COLUMNS}
        rows={found}
        rowId={(row) => String(row.id)}
        sort={search.sort}
        onSort={(sort) => change({ sort: sort ?? "" })}
        selected={userId}
        onSelect={(row) => open(row.id)}
        empty={
          isFiltered ? (
            <EmptyState icon={IconSearch} title="Nobody like that">
              Look for another name, or take the filters away.
            </EmptyState>
          ) : (
            <EmptyState icon={IconUsers} title="No users yet">
              Whoever signs in through your identity provider appears here. Local users are added by hand.
            </EmptyState>
          )
        }
        {...rest}
      />
      <SidePanel title="User" isOpen={userId !== undefined} onClose={() => void navigate({ to: "/users", search: true })}>
        {userId !== undefined && <UserDetail key={userId} id={Number(userId)} onPassword={setTold} />}
      </SidePanel>
      <AddUser
        isOpen={isAdding}
        onClose={adding.close}
        onAdded={({ user, password }) => {
          adding.close();
          if (password) setTold({ username: user.username, password });
          else open(user.id);
        }}
      />
      <ShownOnce
        title={`The password of ${told?.username ?? ""}`}
        name="password"
        secret={told?.password ?? null}
        onClose={() => setTold(null)}
      >
        Whoever signs in with it can change it to one of their own.
      </ShownOnce>
    </Page>
  );
}

function matches(user: User, { q = "", show, role }: { q?: string; show?: "active" | "disabled"; role?: string }): boolean {
  const words = q.toLowerCase();
  const isFound = [user.display_name, user.username, user.email ?? ""].some((text) => text.toLowerCase().includes(words));
  return isFound && (show === undefined || user.active === (show === "active")) && (role === undefined || user.roles.includes(role));
}
