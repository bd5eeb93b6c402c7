import { Box, Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { EmptyState } from "@msil-mcp/ui";
import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { type Permission, useMay } from "./identity";

interface Props {
  title: string;
  description?: string;
  /** Without it the page says who to ask, and asks the server nothing. */
  needs?: Permission;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, description, needs, actions, children }: Props) {
  useDocumentTitle(`${title} · MSIL MCP`);
  const may = useMay();
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-start">
        <Box>
          <Title order={1} size="h2">
            {title}
          </Title>
          {description && <Text c="dimmed">{description}</Text>}
        </Box>
        {(!needs || may(needs)) && actions}
      </Group>
      {needs && !may(needs) ? <NotPermitted needs={needs} /> : children}
    </Stack>
  );
}

function NotPermitted({ needs }: { needs: Permission }) {
  return (
    <EmptyState icon={IconLock} title="This page is not open to you">
      It needs the permission {needs}, which none of your roles carries. Ask an administrator for a role that does.
    </EmptyState>
  );
}
