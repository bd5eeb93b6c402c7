import { Card, Grid, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { EmptyState, ErrorNotice } from "@msil-mcp/ui";
import { IconPlugConnected } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";

import { useAddress } from "../../shared/address";
import { useMay } from "../../shared/identity";
import { LiveFeed } from "../../shared/LiveFeed";
import { Page } from "../../shared/Page";
import { RangeControl, rangeSearch, startOf } from "../../shared/range";
import { Callers, Errors, Refusals, TopTools } from "./Breakdowns";
import { Calls, Latency } from "./Charts";
import { Dependencies } from "./Dependencies";
import { Figures } from "./Figures";

const REFRESH_MS = 15_000;

/** Is it up, is it fast, who uses what, what was refused. */
export function Dashboard() {
  const [{ range = "24h" }, change] = useAddress(rangeSearch);
  const may = useMay();
  return (
    <Page
      title="Dashboard"
      description="Is it up, is it fast, who uses what, and what was refused."
      needs="analytics:read"
      actions={<RangeControl range={range} onChange={(next) => change({ range: next })} />}
    >
      {may("analytics:read") && <Overview key={range} range={range} />}
    </Page>
  );
}

function Overview({ range }: { range: NonNullable<ReturnType<typeof rangeSearch>["range"]> }) {
  const [now, setNow] = useState(() => new Date());
  useInterval(() => setNow(new Date()), REFRESH_MS, { autoInvoke: true });
  const overview = api.useQuery(
    "get",
    "/api/analytics",
    { params: { query: { from: startOf(range, now) } } },
    { refetchInterval: REFRESH_MS, placeholderData: (before) => before },
  );
  if (overview.error && !overview.data) return <ErrorNotice error={overview.error} onRetry={() => void overview.refetch()} />;
  const data = overview.data;
  return (
    <Stack>
      <Group align="stretch">
        <Dependencies />
      </Group>
      <Figures data={data} from={startOf(range, now).slice(0, 10)} />
      {data?.totals.calls === 0 ? (
        <EmptyState icon={IconPlugConnected} title="Nobody has called a tool in this time">
          Connect a client, or widen the time range.
        </EmptyState>
      ) : (
        <Grid>
          <Panel title="Calls" span={6}>
            {data ? <Calls data={data} /> : <Skeleton height={240} />}
          </Panel>
          <Panel title="Time of a call" span={6}>
            {data ? <Latency data={data} /> : <Skeleton height={240} />}
          </Panel>
          <Panel title="Tools called most" span={6}>
            {data ? <TopTools data={data} /> : <Skeleton height={200} />}
          </Panel>
          <Panel title="Who calls" span={6}>
            {data ? <Callers data={data} /> : <Skeleton height={200} />}
          </Panel>
          <Panel title="What was refused" span={6}>
            {data ? <Refusals data={data} /> : <Skeleton height={120} />}
          </Panel>
          <Panel title="What failed" span={6}>
            {data ? <Errors data={data} /> : <Skeleton height={120} />}
          </Panel>
        </Grid>
      )}
      <Card withBorder>
        <Title order={2} size="h5" mb="xs">
          Now
        </Title>
        <LiveFeed limit={8} />
      </Card>
      {data && (
        <Text size="xs" c="dimmed">
          From {new Date(data.start).toLocaleString()} to {new Date(data.end).toLocaleString()}, read every 15 s.
        </Text>
      )}
    </Stack>
  );
}

function Panel({ title, span, children }: { title: string; span: number; children: ReactNode }) {
  return (
    <Grid.Col span={{ base: 12, lg: span }}>
      <Card withBorder h="100%" component="section" aria-label={title}>
        <Title order={2} size="h5" mb="xs">
          {title}
        </Title>
        {children}
      </Card>
    </Grid.Col>
  );
}
