import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  test: {
    environment: "jsdom",
    setupFiles: ["packages/ui/src/testing-setup.ts"],
    include: ["packages/*/src/**/*.test.{ts,tsx}", "*-ui/src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 20_000,
    css: false,
  },
});
