import { Tooltip } from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { useState } from "react";

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const REFRESH_MS = 30_000;

/** "5 minutes ago", in the reader's language. */
export function relativeTime(at: Date, { now, locale }: { now: Date; locale?: string | undefined }): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, "second");
}

/** The exact moment, in the reader's zone. */
export function exactTime(at: Date, locale?: string): string {
  return at.toLocaleString(locale, { dateStyle: "medium", timeStyle: "long" });
}

/** A moment as a distance from now, kept current, with the exact time on hover. */
export function RelativeTime({ at, locale }: { at: string | Date; locale?: string }) {
  const [now, setNow] = useState(() => new Date());
  useInterval(() => setNow(new Date()), REFRESH_MS, { autoInvoke: true });
  const moment = typeof at === "string" ? new Date(at) : at;
  return (
    <Tooltip label={exactTime(moment, locale)}>
      <time dateTime={moment.toISOString()}>{relativeTime(moment, { now, locale })}</time>
    </Tooltip>
  );
}
