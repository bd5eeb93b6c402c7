import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const REFRESH_MS = 30_000;

/** One of a kind for each language: a long list has thousands of moments, and formats are dear. */
function kept<Format>(make: (locale: string | undefined) => Format): (locale: string | undefined) => Format {
  const made = new Map<string | undefined, Format>();
  return (locale) => {
    const format = made.get(locale) ?? make(locale);
    made.set(locale, format);
    return format;
  };
}

const distances = kept((locale) => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
const moments = kept((locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" }));

/** "5 minutes ago", in the reader's language. */
export function relativeTime(at: Date, { now, locale }: { now: Date; locale?: string | undefined }): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const format = distances(locale);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, "second");
}

/** The exact moment, in the reader's zone. */
export function exactTime(at: Date, locale?: string): string {
  return moments(locale).format(at);
}

/** One clock for all that is shown; it stands still while nothing is. */
const clock = {
  now: new Date(),
  timer: undefined as ReturnType<typeof setInterval> | undefined,
  watchers: new Set<() => void>(),
};

function tick(): void {
  clock.now = new Date();
  for (const watcher of clock.watchers) watcher();
}

function watch(watcher: () => void): () => void {
  if (clock.watchers.size === 0) {
    clock.now = new Date();
    clock.timer = setInterval(tick, REFRESH_MS);
  }
  clock.watchers.add(watcher);
  return () => {
    clock.watchers.delete(watcher);
    if (clock.watchers.size === 0) clearInterval(clock.timer);
  };
}

/** A moment as a distance from now, kept current, with the exact time on hover. */
export function RelativeTime({ at, locale }: { at: string | Date; locale?: string }) {
  const moment = typeof at === "string" ? new Date(at) : at;
  // Shown again only when the words are others.
  const words = useSyncExternalStore(watch, () => relativeTime(moment, { now: clock.now, locale }));
  return (
    <Tooltip label={exactTime(moment, locale)}>
      <time dateTime={moment.toISOString()}>{words}</time>
    </Tooltip>
  );
}
