import { Alert, Badge, Card, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { duration, ErrorNotice, RelativeTime } from "@msil-mcp/ui";
import type { ReactNode } from "react";

import { useMay } from "../../shared/identity";
import { Page } from "../../shared/Page";

type Report = components["schemas"]["HealthReport"];
type State = Report["dependencies"][number]["state"];

const REFRESH_MS = 5_000;
const COLOURS: Record<State, string> = { healthy: "green", unhealthy: "red", disabled: "gray", unused: "gray" };
const NONE = "–";

/** What this replica depends on, and how each answers. */
export function Health() {
  const may = useMay();
  const report = api.useQuery("get", "/api/health", {}, { enabled: may("analytics:read"), refetchInterval: REFRESH_MS });
  return (
    <Page title="Health" description="What this replica depends on, asked every 5 s." needs="analytics:read">
      {report.error && <ErrorNotice error={report.error} onRetry={() => void report.refetch()} />}
      {!report.data && !report.error && <Skeleton height={360} />}
      {report.data && <Parts report={report.data} />}
    </Page>
  );
}

function Parts({ report }: { report: Report }) {
  return (
    <Stack>
      <Alert
        role="status"
        color={report.status === "ready" ? "green" : "red"}
        variant="light"
        title={report.draining ? "Going away: finishes what is open" : report.status === "ready" ? "Takes requests" : "Takes no requests now"}
      >
        Checked <RelativeTime at={report.checked_at} />.
      </Alert>
      <Part title="Dependencies" head={["Part", "State", "Answers in", "About", "Last error"]}>
        {report.dependencies.map((part) => (
          <Table.Tr key={part.name}>
            <Table.Td>
              {part.name}
              {part.required ? "" : " (optional)"}
            </Table.Td>
            <Table.Td>
              <StateMark state={part.state} />
            </Table.Td>
            <Table.Td>{took(part.latency_ms)}</Table.Td>
            <Table.Td>{part.detail}</Table.Td>
            <Table.Td>
              <LastError error={part.last_error} at={part.last_error_at} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Services behind the tools" head={["Address", "State", "Breaker", "Answers in", "Last error"]} empty="No tool has been called since this replica started.">
        {report.upstreams.map((part) => (
          <Table.Tr key={part.origin}>
            <Table.Td>{part.origin}</Table.Td>
            <Table.Td>
              <StateMark state={part.state} />
            </Table.Td>
            <Table.Td>
              {part.circuit}
              {part.retry_in_seconds != null && `, tries again in ${Math.ceil(part.retry_in_seconds)} s`}
            </Table.Td>
            <Table.Td>{took(part.latency_ms)}</Table.Td>
            <Table.Td>
              <LastError error={part.last_error} at={part.last_error_at} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Models" head={["Model", "State", "Answers in", "Last error"]} empty="No model has been asked since this replica started.">
        {report.models.map((part) => (
          <Table.Tr key={part.name}>
            <Table.Td>
              {part.name}
              {part.is_scripted ? " (scripted)" : ""}
            </Table.Td>
            <Table.Td>
              <StateMark state={part.state} />
            </Table.Td>
            <Table.Td>{took(part.latency_ms)}</Table.Td>
            <Table.Td>
              <LastError error={part.last_error} at={part.last_error_at} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Part>
      <Part title="Jobs in the background" head={["Kind", "Late by", "Given up", "Last error"]} empty="No job is late, and none was given up.">
        {report.jobs.map((job) => (
          <Table.Tr key={job.kind}>
            <Table.Td>{job.kind}</Table.Td>
            <Table.Td>{duration(job.overdue_seconds * 1000)}</Table.Td>
            <Table.Td>{job.dead}</Table.Td>
            <Table.Td>{job.last_error ?? NONE}</Table.Td>
          </Table.Tr>
        ))}
      </Part>
    </Stack>
  );
}

function Part({ title, head, empty, children }: { title: string; head: string[]; empty?: string; children: ReactNode[] }) {
  return (
    <Card withBorder component="section" aria-label={title}>
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      {children.length === 0 ? (
        <Text size="sm" c="dimmed">
          {empty}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                {head.map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{children}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}

function StateMark({ state }: { state: State }) {
  return (
    <Badge variant="light" tt="none" color={COLOURS[state]}>
      {state}
    </Badge>
  );
}

function LastError({ error, at }: { error: string | null; at: string | null }) {
  if (!error) return NONE;
  return (
    <>
      {error} {at && <RelativeTime at={at} />}
    </>
  );
}

function took(milliseconds: number | null): string {
  return milliseconds === null ? NONE : duration(milliseconds);
}
