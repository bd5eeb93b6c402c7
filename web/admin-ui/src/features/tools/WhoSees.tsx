import { Badge, NumberInput, Skeleton, Stack, Table, Text } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { useState } from "react";

import { useMay } from "../../shared/identity";

type Grant = components["schemas"]["Grant"];
type Sight = components["schemas"]["PrincipalVisibility"];

const REASONS: Record<Sight["reason"], string> = {
  granted: "A role of theirs shows it.",
  not_in_force: "The tool is not offered to anybody now: it is not published, or switched off.",
  inactive: "The account is not active.",
  no_grant: "No role of theirs shows this tool.",
  outside_scopes: "The credential is narrowed to other tools.",
};

/** Which roles show the tool, by which exposure; and whether one person sees it, and why. */
export function WhoSees({ name }: { name: string }) {
  const may = useMay();
  const sight = api.useQuery("get", "/api/tools/{name}/visibility", { params: { path: { name } } });
  if (sight.error && !sight.data) return <ErrorNotice error={sight.error} onRetry={() => void sight.refetch()} />;
  if (!sight.data) return <Skeleton height={200} />;
  return (
    <Stack>
      {!sight.data.in_force && <Text size="sm">{REASONS.not_in_force}</Text>}
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Role</Table.Th>
            <Table.Th>Sees it</Table.Th>
            <Table.Th>Because of</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sight.data.roles.map((role) => (
            <Table.Tr key={role.role}>
              <Table.Td>{role.role}</Table.Td>
              <Table.Td>
                <Seen visible={role.visible} />
              </Table.Td>
              <Table.Td>{role.grants.map(because).join(", ") || "no exposure"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {may("users:manage") && <OneUser name={name} />}
    </Stack>
  );
}

function OneUser({ name }: { name: string }) {
  const [id, setId] = useState<number>();
  const found = api.useQuery(
    "get",
    "/api/tools/{name}/visibility/users/{user_id}",
    { params: { path: { name, user_id: id ?? 0 } } },
    { enabled: id !== undefined, retry: false },
  );
  return (
    <Stack gap="xs">
      <NumberInput
        label="Does one person see it?"
        description="The number of a user, as Users shows it."
        w={220}
        min={1}
        allowDecimal={false}
        value={id ?? ""}
        onChange={(value) => setId(typeof value === "number" ? value : undefined)}
      />
      {id !== undefined && found.error && <ErrorNotice error={found.error} />}
      {id !== undefined && found.data && (
        <Text size="sm" role="status">
          {found.data.name}: <Seen visible={found.data.visible} /> {REASONS[found.data.reason]} {found.data.grants.map(because).join(", ")}
        </Text>
      )}
    </Stack>
  );
}

function Seen({ visible }: { visible: boolean }) {
  return (
    <Badge component="span" variant="light" tt="none" color={visible ? "green" : "gray"}>
      {visible ? "yes" : "no"}
    </Badge>
  );
}

function because(grant: Grant): string {
  return grant.kind === "all" ? `${grant.role}: all tools` : `${grant.role}: ${grant.kind} ${grant.target}`;
}
