import { mergeConfig } from "vitest/config";

import journeys from "./vitest.e2e.config.ts";

/** What the pages cost in a real browser: `npm run figures`; measured and printed, never a test. */
export default mergeConfig(
  { ...journeys, test: { ...journeys.test, include: [] } },
  { test: { include: ["e2e/*.figures.ts"], maxWorkers: 1, testTimeout: 300_000 } },
);
