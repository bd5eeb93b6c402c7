import { MultiSelect } from "@mantine/core";
import { api } from "@msil-mcp/api";
import type { ReactNode } from "react";

import { useMay } from "./identity";
import { BY_CURSOR, useAllRows } from "./lists";

interface Props {
  value?: string[];
  onChange?: (roles: string[]) => void;
  error?: ReactNode;
  description?: string;
}

/** Roles to carry; those of the catalogue where one may read it. */
export function RolesInput({ value = [], description, ...rest }: Props) {
  const may = useMay();
  const query = { params: { query: { limit: 200 } } };
  const { rows } = useAllRows(api.useInfiniteQuery("get", "/api/roles", query, { ...BY_CURSOR, enabled: may("roles:manage") }));
  const names = rows?.map((role) => role.name) ?? ["administrator", "auditor", "integrator", "operator", "user"];
  return (
    <MultiSelect
      label="Roles"
      description={description}
      data={[...new Set([...names, ...value])]}
      value={value}
      searchable
      hidePickedOptions
      {...rest}
    />
  );
}
