import "@mantine/charts/styles.css";

import { AreaChart, LineChart } from "@mantine/charts";
import { Button, Group, ScrollArea, Table } from "@mantine/core";
import { type ReactNode, useState } from "react";

import type { OverviewData } from "./model";

const HEIGHT = 240;
const DAY_SECONDS = 86_400;

function labelOf(at: string, seconds: number): string {
  const moment = new Date(at);
  if (seconds >= DAY_SECONDS) return moment.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  const withDay = seconds >= DAY_SECONDS / 24;
  return moment.toLocaleString(undefined, { hour: "2-digit", minute: "2-digit", ...(withDay ? { weekday: "short" } : {}) });
}

const OUTCOMES = [
  { name: "Succeeded", color: "brand.5" },
  { name: "Refused", color: "yellow.7" },
  { name: "Failed", color: "red.7" },
  { name: "Waiting for a person", color: "grape.6" },
] as const;

/** Calls by what became of them. */
export function Calls({ data }: { data: OverviewData }) {
  const rows = data.series.map((point) => ({
    at: labelOf(point.at, data.bucket_seconds),
    Succeeded: point.succeeded,
    Refused: point.denied,
    Failed: point.failed + point.unknown,
    "Waiting for a person": point.needs_confirmation,
  }));
  return (
    <WithTable rows={rows}>
      <AreaChart
        h={HEIGHT}
        data={rows}
        dataKey="at"
        type="stacked"
        curveType="linear"
        withDots={false}
        withLegend
        yAxisProps={{ domain: [0, "auto"], allowDecimals: false }}
        series={OUTCOMES.filter(({ name }) => name === "Succeeded" || rows.some((row) => row[name] > 0))}
      />
    </WithTable>
  );
}

/** How long calls took, in milliseconds. */
export function Latency({ data }: { data: OverviewData }) {
  const rounded = (value: number | null) => (value === null ? null : Math.round(value * 10) / 10);
  const rows = data.series.map((point) => ({
    at: labelOf(point.at, data.bucket_seconds),
    P50: rounded(point.p50_ms),
    P95: rounded(point.p95_ms),
    P99: rounded(point.p99_ms),
  }));
  return (
    <WithTable rows={rows}>
      <LineChart
        h={HEIGHT}
        data={rows}
        dataKey="at"
        unit=" ms"
        curveType="linear"
        connectNulls={false}
        withLegend
        yAxisProps={{ domain: [0, "auto"], width: 70 }}
        series={[
          { name: "P50", color: "brand.4" },
          { name: "P95", color: "brand.6" },
          { name: "P99", color: "red.7" },
        ]}
      />
    </WithTable>
  );
}

/** A chart, or the same as numbers. */
function WithTable({ rows, children }: { rows: readonly Record<string, string | number | null>[]; children: ReactNode }) {
  const [isTable, setIsTable] = useState(false);
  const columns = Object.keys(rows[0] ?? {});
  return (
    <>
      {isTable ? (
        <ScrollArea h={HEIGHT}>
          <Table stickyHeader>
            <Table.Thead>
              <Table.Tr>
                {columns.map((column) => (
                  <Table.Th key={column}>{column === "at" ? "Time" : column}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((row, index) => (
                <Table.Tr key={index}>
                  {columns.map((column) => (
                    <Table.Td key={column}>{row[column] ?? "–"}</Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea>
      ) : (
        children
      )}
      <Group justify="flex-end" mt={4}>
        <Button size="compact-xs" variant="subtle" onClick={() => setIsTable(!isTable)}>
          {isTable ? "Show as chart" : "Show as table"}
        </Button>
      </Group>
    </>
  );
}
