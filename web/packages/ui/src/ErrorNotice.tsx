import { Alert, Button, Group, Text } from "@mantine/core";
import { type ApiError, asApiError } from "@msil-mcp/api";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";

import { CopyButton } from "./CopyButton";
import { useWords, type Words } from "./words";

interface Props {
  error: unknown;
  onRetry?: () => void;
}

/** What happened, what to do, and the reference to give when asking for help. */
export function ErrorNotice({ error, onRetry }: Props) {
  const words = useWords();
  const problem = asApiError(error);
  const { title, detail } = told(problem, words);
  const Icon = problem.isForbidden ? IconLock : IconAlertTriangle;
  return (
    <Alert role="alert" variant="light" color={problem.isForbidden ? "gray" : "danger"} icon={<Icon aria-hidden />} title={title}>
      <Text size="sm">{detail}</Text>
      <Group mt="xs" gap="xs">
        {onRetry && !problem.isForbidden && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {words.retry}
          </Button>
        )}
        {problem.correlationId && (
          <Group gap={4}>
            <Text size="xs" c="dimmed">
              {words.reference} <code>{problem.correlationId}</code>
            </Text>
            <CopyButton value={problem.correlationId} label={words.copyReference} />
          </Group>
        )}
      </Group>
    </Alert>
  );
}

/** The server words its refusals itself; what it could not say is said here. */
function told(problem: ApiError, words: Words): { title: string; detail: string } {
  if (problem.code === "unreachable") return words.unreachable;
  if (problem.code !== "unexplained") return { title: problem.title, detail: problem.message };
  return { title: words.unexplained.title(problem.status), detail: problem.message || words.unexplained.detail };
}
