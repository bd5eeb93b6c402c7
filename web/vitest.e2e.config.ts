import { defineConfig } from "vitest/config";

/** Journeys in a real browser against the real server: `npm run e2e`. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["e2e/*.test.ts"],
    globalSetup: ["e2e/setup.ts"],
    // One browser and one server for all; two files at a time suit two cores.
    maxWorkers: 2,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
