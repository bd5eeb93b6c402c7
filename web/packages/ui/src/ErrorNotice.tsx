import { Alert, Button, Group, Text } from "@mantine/core";
import { asApiError } from "@msil-mcp/api";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";

import { CopyButton } from "./CopyButton";

interface Props {
  error: unknown;
  onRetry?: () => void;
  labels?: { retry: string; reference: string; copy: string };
}

const ENGLISH = { retry: "Try again", reference: "Reference", copy: "Copy reference" };

/** What happened, what to do, and the reference to give when asking for help. */
export function ErrorNotice({ error, onRetry, labels = ENGLISH }: Props) {
  const problem = asApiError(error);
  const Icon = problem.isForbidden ? IconLock : IconAlertTriangle;
  return (
    <Alert
      role="alert"
      variant="light"
      color={problem.isForbidden ? "gray" : "danger"}
      icon={<Icon aria-hidden />}
      title={problem.title}
    >
      <Text size="sm">{problem.message}</Text>
      <Group mt="xs" gap="xs">
        {onRetry && !problem.isForbidden && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {labels.retry}
          </Button>
        )}
        {problem.correlationId && (
          <Group gap={4}>
            <Text size="xs" c="dimmed">
              {labels.reference} <code>{problem.correlationId}</code>
            </Text>
            <CopyButton value={problem.correlationId} label={labels.copy} />
          </Group>
        )}
      </Group>
    </Alert>
  );
}
