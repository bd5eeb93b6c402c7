import { Anchor } from "@mantine/core";
import { EmptyState } from "@msil-mcp/ui";
import { IconMapOff } from "@tabler/icons-react";

export function NotFound() {
  return (
    <EmptyState icon={IconMapOff} title="There is no such page" action={<Anchor href="/admin/">To the dashboard</Anchor>}>
      The address may be mistyped, or what it named is gone.
    </EmptyState>
  );
}
