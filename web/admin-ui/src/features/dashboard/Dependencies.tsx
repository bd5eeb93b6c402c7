import { Badge, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

const COLOURS: Record<string, string> = { healthy: "green", disabled: "gray", unhealthy: "red" };
const REFRESH_MS = 10_000;

interface Ready {
  status: string;
  checks: Record<string, string>;
}

async function readReadiness({ signal }: { signal: AbortSignal }): Promise<Ready> {
  // 503 is an answer here: it says which part is not healthy.
  const response = await fetch("/ready", { signal });
  return (await response.json()) as Ready;
}

/** Whether this replica takes requests, and what it depends on. */
export function Dependencies() {
  const ready = useQuery({ queryKey: ["/ready"], queryFn: readReadiness, refetchInterval: REFRESH_MS });
  const status = ready.isError ? "unreachable" : ready.data?.status;
  return (
    <Group gap="xs" role="status" aria-label="Health">
      <Badge size="lg" tt="none" variant="light" color={status === undefined ? "gray" : status === "ready" ? "green" : "red"}>
        {status === undefined ? "Asking…" : status === "ready" ? "Up" : status === "unreachable" ? "Cannot be reached" : "Not ready"}
      </Badge>
      {Object.entries(ready.data?.checks ?? {}).map(([name, health]) => (
        <Group key={name} gap={4}>
          <Text size="sm">{name}</Text>
          <Badge size="sm" tt="none" variant="light" color={COLOURS[health] ?? "gray"}>
            {health}
          </Badge>
        </Group>
      ))}
    </Group>
  );
}
