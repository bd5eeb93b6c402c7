import { Anchor, Table, Text } from "@mantine/core";
import { duration, exactCount, percentage } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { OverviewData } from "./model";

const NONE = "–";

export function TopTools({ data }: { data: OverviewData }) {
  return (
    <Lines
      head={["Tool", "Calls", "Succeeded", "P95"]}
      rows={data.top_tools.map((tool) => [
        <Anchor key="name" component={Link} to={`/tools/${tool.tool}`} size="sm">
          {tool.tool}
        </Anchor>,
        exactCount(tool.calls),
        tool.success_rate === null ? NONE : percentage(tool.success_rate),
        tool.p95_ms === null ? NONE : duration(tool.p95_ms),
      ])}
      empty="No tool was called."
    />
  );
}

export function Callers({ data }: { data: OverviewData }) {
  return (
    <Lines
      head={["Caller", "Kind", "Calls", "Refused"]}
      rows={data.callers.map((caller) => [caller.name ?? caller.id, caller.kind ?? NONE, exactCount(caller.calls), exactCount(caller.denied)])}
      empty="Nobody called."
    />
  );
}

export function Refusals({ data }: { data: OverviewData }) {
  return (
    <Lines
      head={["Rule", "Why", "Calls"]}
      rows={data.refusals.map((line) => [line.rule, line.title, exactCount(line.calls)])}
      empty="Nothing was refused."
    />
  );
}

export function Errors({ data }: { data: OverviewData }) {
  return (
    <Lines
      head={["What", "Outcome", "Calls"]}
      rows={data.errors.map((line) => [line.title, line.outcome, exactCount(line.calls)])}
      empty="Nothing failed."
    />
  );
}

function Lines({ head, rows, empty }: { head: string[]; rows: ReactNode[][]; empty: string }) {
  if (rows.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {empty}
      </Text>
    );
  }
  return (
    <Table.ScrollContainer minWidth={320}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            {head.map((name, index) => (
              <Table.Th key={name} ta={index > 0 && /Calls|Refused|P95|Succeeded/.test(name) ? "right" : "left"}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, index) => (
            <Table.Tr key={index}>
              {row.map((cell, column) => (
                <Table.Td key={column} ta={/Calls|Refused|P95|Succeeded/.test(head[column] ?? "") ? "right" : "left"}>
                  {cell}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
