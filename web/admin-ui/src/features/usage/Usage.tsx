import { Card, Group, Progress, SegmentedControl, SimpleGrid, Text } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { compactCount, EmptyState, exactCount, money, RelativeTime } from "@msil-mcp/ui";
import { IconChartBar } from "@tabler/icons-react";
import { useMemo, useState } from "react";

import { useAddress } from "../../shared/address";
import { type Column, DataTable } from "../../shared/DataTable";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { RangeControl, startOf } from "../../shared/range";
import { BY, type By, usageSearch } from "./search";

type Row = components["schemas"]["UsageRow"];
type Budget = components["schemas"]["BudgetView"];

const PAGE = 200;
const LABELS: Record<By, string> = { day: "Day", user: "Person", model: "Model", door: "Door" };

const NAMES: Record<By, (row: Row) => string> = {
  day: (row) => row.day ?? "–",
  user: (row) => row.user_name ?? row.user_id ?? "–",
  model: (row) => row.model ?? "–",
  door: (row) => (row.door === "openai" ? "OpenAI-compatible" : (row.door ?? "–")),
};

/** What models took: tokens and money, by day, person, model or door. */
export function Usage() {
  const [{ range = "30d", by = "day" }, change] = useAddress(usageSearch);
  const [opened] = useState(() => new Date());
  const usage = api.useInfiniteQuery(
    "get",
    "/api/usage",
    { params: { query: { by: [by], from: startOf(range, opened).slice(0, 10), limit: PAGE } } },
    { ...BY_CURSOR, placeholderData: (before) => before },
  );
  const pages = usePages<Row>(usage);
  const first = usage.data?.pages[0];
  const columns = useMemo(() => columnsFor(by), [by]);
  return (
    <Page
      title="Usage and budgets"
      description="What models took of tokens and money. Days are whole days, UTC."
      actions={<RangeControl range={range} onChange={(next) => change({ range: next })} />}
    >
      {first && (
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }}>
          <Total label="Tokens" value={compactCount(first.totals.input_tokens + first.totals.output_tokens)} hint={`${exactCount(first.totals.cached_tokens)} of the prompt were cached`} />
          <Total label="Cost" value={money(first.totals.cost_usd)} hint={first.totals.unpriced_requests > 0 ? `${exactCount(first.totals.unpriced_requests)} requests have no known price` : "Every request has a price"} />
          <Total label="Turns and requests" value={`${exactCount(first.totals.turns)} · ${exactCount(first.totals.requests)}`} hint="A turn may ask the model several times" />
          <YourBudget budget={first.budget} />
        </SimpleGrid>
      )}
      <Group>
        <SegmentedControl
          size="xs"
          aria-label="Grouped by"
          value={by}
          onChange={(next) => change({ by: next })}
          data={BY.map((value) => ({ value, label: LABELS[value] }))}
        />
      </Group>
      <DataTable
        label={`Usage by ${LABELS[by].toLowerCase()}`}
        columns={columns}
        rowId={(row) => `${row.day ?? ""}/${row.user_id ?? ""}/${row.model ?? ""}/${row.door ?? ""}`}
        {...pages}
        empty={
          <EmptyState icon={IconChartBar} title="No model was asked in this time">
            Talk to the assistant, or widen the time range.
          </EmptyState>
        }
      />
    </Page>
  );
}

function columnsFor(by: By): Column<Row>[] {
  return [
    { id: "name", header: LABELS[by], value: NAMES[by] },
    { id: "turns", header: "Turns", width: 7, value: (row) => row.turns },
    { id: "requests", header: "Requests", width: 7, value: (row) => row.requests },
    { id: "input", header: "Prompt tokens", width: 9, value: (row) => row.input_tokens, cell: (row) => exactCount(row.input_tokens) },
    { id: "cached", header: "Cached", width: 8, value: (row) => row.cached_tokens, cell: (row) => exactCount(row.cached_tokens) },
    { id: "output", header: "Completion tokens", width: 11, value: (row) => row.output_tokens, cell: (row) => exactCount(row.output_tokens) },
    { id: "cost", header: "Cost", width: 8, value: (row) => row.cost_usd, cell: (row) => money(row.cost_usd) },
  ];
}

function Total({ label, value, hint }: { label: string; value: string; hint: string }) {
  return (
    <Card withBorder padding="sm">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={600} fz="xl">
        {value}
      </Text>
      <Text size="xs" c="dimmed">
        {hint}
      </Text>
    </Card>
  );
}

/** What is left of the viewer's own day. */
function YourBudget({ budget }: { budget: Budget }) {
  const { tokens, cost_usd: cost } = budget;
  const share = Math.max(shareOf(tokens.used, tokens.limit), shareOf(cost.used, cost.limit));
  const isLimited = tokens.limit !== null || cost.limit !== null;
  return (
    <Card withBorder padding="sm">
      <Text size="xs" c="dimmed">
        Your budget today
      </Text>
      {isLimited ? (
        <>
          <Progress value={share * 100} color={share > 0.9 ? "danger" : "brand"} my={8} aria-label="Share of your budget that is used" />
          <Text size="xs">
            {tokens.limit !== null && `${exactCount(tokens.used)} of ${exactCount(tokens.limit)} tokens. `}
            {cost.limit !== null && `${money(cost.used)} of ${money(cost.limit)}. `}
            New <RelativeTime at={budget.resets_at} />.
          </Text>
        </>
      ) : (
        <Text size="sm">
          No limit is set. {exactCount(tokens.used)} tokens, {money(cost.used)} so far.
        </Text>
      )}
    </Card>
  );
}

function shareOf(used: number, limit: number | null): number {
  return limit ? Math.min(1, used / limit) : 0;
}
