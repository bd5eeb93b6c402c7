import { SegmentedControl } from "@mantine/core";

import { choiceIn } from "./address";

export const RANGES = ["1h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];

const HOURS: Record<Range, number> = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 };
const LABELS: Record<Range, string> = { "1h": "Hour", "24h": "Day", "7d": "Week", "30d": "30 days" };
const HOUR_MS = 3_600_000;
const STEP_MS = 60_000;

export interface RangeSearch {
  range?: Range;
}

export function rangeSearch(raw: Record<string, unknown>): RangeSearch {
  return choiceIn(raw, "range", RANGES);
}

/** When the range begins; the same within a minute, so that what is asked stays the same question. */
export function startOf(range: Range, now: Date): string {
  const rounded = Math.floor(now.getTime() / STEP_MS) * STEP_MS;
  return new Date(rounded - HOURS[range] * HOUR_MS).toISOString();
}

export function RangeControl({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Time range"
      value={range}
      onChange={onChange}
      data={RANGES.map((value) => ({ value, label: LABELS[value] }))}
    />
  );
}
