import { expect, test } from "vitest";

import { duration, money } from "./figures";
import { relativeTime } from "./RelativeTime";

const NOW = new Date("2026-11-22T12:00:00Z");

test.each([
  ["2026-11-22T11:59:40Z", "now"],
  ["2026-11-22T11:55:00Z", "5 minutes ago"],
  ["2026-11-21T12:00:00Z", "yesterday"],
  ["2026-11-22T14:00:00Z", "in 2 hours"],
])("%s is said as %s", (at, words) => {
  expect(relativeTime(new Date(at), { now: NOW, locale: "en" })).toBe(words);
});

test("times are said in the reader's language", () => {
  expect(relativeTime(new Date("2026-11-22T11:55:00Z"), { now: NOW, locale: "hi" })).toContain("मिनट");
});

test("durations and small amounts keep what matters", () => {
  expect(duration(320)).toBe("320 ms");
  expect(duration(125_000)).toBe("2 min 5 s");
  expect(duration(999.6)).toBe("1.0 s");
  expect(duration(59_990)).toBe("1 min 0 s");
  expect(duration(119_600)).toBe("2 min 0 s");
  expect(money(0.000_123, "en")).toBe("$0.00012");
});
