import { Card, Group, SimpleGrid, Skeleton, Text, Tooltip } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { compactCount, duration, exactCount, money, percentage } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";

import { useMay } from "../../shared/identity";
import type { OverviewData } from "./model";

/** The few numbers one looks at first; the exact one on hover. */
export function Figures({ data, from }: { data: OverviewData | undefined; from: string }) {
  const may = useMay();
  const usage = api.useQuery("get", "/api/usage", { params: { query: { from } } }, { enabled: may("usage:read_all") });
  const totals = data?.totals;
  const milliseconds = (value: number | null | undefined) => (value == null ? "–" : duration(value));
  const tokens = usage.data && usage.data.totals.input_tokens + usage.data.totals.output_tokens;
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }}>
      <Figure label="Calls" value={totals && compactCount(totals.calls)} exact={totals && exactCount(totals.calls)} />
      <Figure
        label="Succeeded"
        value={totals && (totals.success_rate === null ? "–" : percentage(totals.success_rate))}
        exact={totals && `${exactCount(totals.succeeded)} succeeded, ${exactCount(totals.failed)} failed`}
      />
      <Figure label="Refused" value={totals && compactCount(totals.denied)} exact={totals && exactCount(totals.denied)} />
      <Figure
        label="P50 · P95 · P99"
        value={totals && [totals.p50_ms, totals.p95_ms, totals.p99_ms].map(milliseconds).join(" · ")}
        exact="Half, 95 % and 99 % of the calls took no longer than this."
        isWide
      />
      <Figure
        label="Tokens and cost"
        value={may("usage:read_all") ? usage.data && `${compactCount(tokens ?? 0)} · ${money(usage.data.totals.cost_usd)}` : "–"}
        exact={usage.data && `${exactCount(tokens ?? 0)} tokens, $${usage.data.totals.cost_usd.toFixed(6)}, whole days`}
      />
      <Figure
        label="Approvals waiting"
        value={data && exactCount(data.approvals_pending)}
        exact="Requests a person has not answered yet."
        to="/approvals"
      />
    </SimpleGrid>
  );
}

interface FigureProps {
  label: string;
  value: string | undefined;
  exact?: string | undefined;
  to?: string;
  isWide?: boolean;
}

function Figure({ label, value, exact, to, isWide = false }: FigureProps) {
  const number = (
    <Text fw={600} fz={isWide ? "sm" : "xl"} lh={isWide ? 2 : 1.5}>
      {value}
    </Text>
  );
  return (
    <Card withBorder padding="sm">
      <Text size="xs" c="dimmed">
        {to ? (
          <Link to={to} style={{ color: "inherit" }}>
            {label}
          </Link>
        ) : (
          label
        )}
      </Text>
      {value === undefined ? (
        <Skeleton height={18} my={8} width="60%" />
      ) : exact ? (
        <Tooltip label={exact}>
          <Group tabIndex={0}>{number}</Group>
        </Tooltip>
      ) : (
        number
      )}
    </Card>
  );
}
