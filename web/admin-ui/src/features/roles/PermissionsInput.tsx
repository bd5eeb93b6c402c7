import { Checkbox, SimpleGrid } from "@mantine/core";
import type { ReactNode } from "react";

import { type Permission, useMay } from "../../shared/identity";
import { MEANINGS, PERMISSIONS } from "./permissions";

interface Props {
  value?: Permission[];
  onChange?: (permissions: Permission[]) => void;
  error?: ReactNode;
  readOnly?: boolean;
}

/** Nobody gives away more than they have: what one lacks oneself cannot be ticked. */
export function PermissionsInput({ value = [], onChange, error, readOnly = false }: Props) {
  const may = useMay();
  return (
    <Checkbox.Group
      label="Permissions"
      value={value}
      error={error}
      {...(onChange ? { onChange: (names: string[]) => onChange(PERMISSIONS.filter((one) => names.includes(one))) } : {})}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs" mt={4}>
        {PERMISSIONS.map((permission) => (
          <Checkbox
            key={permission}
            value={permission}
            label={MEANINGS[permission]}
            description={permission}
            disabled={readOnly || (!may(permission) && !value.includes(permission))}
          />
        ))}
      </SimpleGrid>
    </Checkbox.Group>
  );
}
