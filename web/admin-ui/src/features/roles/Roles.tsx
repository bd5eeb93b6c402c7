import { Badge, Button, Group } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState } from "@msil-mcp/ui";
import { IconPlus, IconShieldCheck } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { SidePanel } from "../../shared/SidePanel";
import { AddRole } from "./AddRole";
import { RoleDetail } from "./RoleDetail";
import { rolesSearch } from "./search";
import { type Exposure, type Role, told } from "./sight";

interface Line extends Role {
  exposures: Exposure[];
}

const COLUMNS: Column<Line>[] = [
  {
    id: "name",
    header: "Role",
    value: (row) => row.name,
    cell: (row) => (
      <Group gap="xs" wrap="nowrap">
        {row.name}
        {row.builtin && (
          <Badge variant="default" tt="none" fw={500} flex="none">
            built in
          </Badge>
        )}
      </Group>
    ),
    width: 16,
  },
  { id: "description", header: "For", value: (row) => row.description },
  { id: "permissions", header: "Permissions", value: (row) => row.permissions.length, width: 8 },
  { id: "sees", header: "Sees", value: (row) => row.exposures.map(told).join(", ") || "no tools", width: 18 },
];

export function Roles() {
  const may = useMay();
  const [{ sort }, change] = useAddress(rolesSearch);
  const { roleName } = useParams({ strict: false });
  const navigate = useNavigate();
  const [isAdding, adding] = useDisclosure(false);
  const enabled = may("roles:manage");
  const init = { params: { query: { limit: 200 } } };
  const roles = useAllRows(api.useInfiniteQuery("get", "/api/roles", init, { ...BY_CURSOR, enabled }));
  const exposures = useAllRows(api.useInfiniteQuery("get", "/api/roles/exposures", init, { ...BY_CURSOR, enabled }));
  const lines = useMemo(
    () =>
      exposures.rows &&
      roles.rows?.map((role) => ({ ...role, exposures: exposures.rows?.filter((one) => one.role === role.name) ?? [] })),
    [roles.rows, exposures.rows],
  );
  const chosen = lines?.find((line) => line.name === roleName);
  const open = (name: string) => void navigate({ to: "/roles/$roleName", params: { roleName: name }, search: true });
  return (
    <Page
      title="Roles and exposure"
      description="What people and programs may do here, and which tools they see. Policies can only take away from that."
      needs="roles:manage"
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={adding.open}>
          Add a role
        </Button>
      }
    >
      <DataTable
        label="Roles"
        columns={COLUMNS}
        rows={lines}
        rowId={(row) => row.name}
        sort={sort}
        onSort={(wanted) => change({ sort: wanted ?? "" })}
        selected={roleName}
        onSelect={(row) => open(row.name)}
        error={roles.error ?? exposures.error}
        onRetry={() => {
          roles.onRetry();
          exposures.onRetry();
        }}
        empty={
          <EmptyState icon={IconShieldCheck} title="No roles">
            The roles that come with the product appear when the server starts.
          </EmptyState>
        }
      />
      <SidePanel title="Role" isOpen={roleName !== undefined} onClose={() => void navigate({ to: "/roles", search: true })}>
        {lines &&
          roleName !== undefined &&
          (chosen ? (
            <RoleDetail key={roleName} role={chosen} exposures={chosen.exposures} />
          ) : (
            <EmptyState icon={IconShieldCheck} title="There is no such role">
              It may have been deleted, or its name is mistyped in the address.
            </EmptyState>
          ))}
      </SidePanel>
      <AddRole
        isOpen={isAdding}
        onClose={adding.close}
        onAdded={(role) => {
          adding.close();
          open(role.name);
        }}
      />
    </Page>
  );
}
