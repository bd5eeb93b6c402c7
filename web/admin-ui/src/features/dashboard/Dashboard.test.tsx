import { problem, serve } from "@msil-mcp/ui/testing";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { renderPage } from "../../shared/testing";
import { Dashboard } from "./Dashboard";

const TOTALS = { calls: 1234, succeeded: 1200, failed: 14, denied: 20, unknown: 0, needs_confirmation: 0, success_rate: 0.988, p50_ms: 40, p95_ms: 120, p99_ms: 1500 };
const OVERVIEW = {
  start: "2026-11-21T10:00:00Z",
  end: "2026-11-22T10:00:00Z",
  bucket_seconds: 3600,
  approvals_pending: 2,
  totals: TOTALS,
  series: [],
  top_tools: [{ ...TOTALS, tool: "get_nearby_dealers", title: "Dealers" }],
  callers: [{ id: "user:1", name: "Asha", kind: "user", calls: 1234, succeeded: 1200, failed: 14, denied: 20, unknown: 0, needs_confirmation: 0 }],
  errors: [{ error: "upstream_timeout", title: "Upstream timeout", outcome: "failed", calls: 14 }],
  refusals: [{ rule: "limit", error: "rate_limited", title: "Too many requests", calls: 20 }],
  origins: [],
};
const READY = { status: "ready", checks: { database: "healthy", redis: "disabled" } };

class SilentSocket {
  close(): void {
    this.onclose = null;
  }
  onclose: (() => void) | null = null;
  onmessage: (() => void) | null = null;
}

beforeEach(() => {
  vi.stubGlobal("WebSocket", SilentSocket);
});

function open(answers: Parameters<typeof serve>[0], may: Parameters<typeof renderPage>[1]["may"] = ["analytics:read"]) {
  const served = serve({ "GET /ready": READY, ...answers });
  return { ...served, ...renderPage(Dashboard, { path: "/", may }) };
}

test("the first look answers whether it is up, how fast, who uses what and what was refused", async () => {
  open({ "GET /api/analytics": OVERVIEW });

  expect((await screen.findAllByText("98.8%"))[0]).toBeVisible();
  expect(screen.getByText("40 ms · 120 ms · 1.5 s")).toBeVisible();
  expect(screen.getByRole("link", { name: "get_nearby_dealers" })).toHaveAttribute("href", "/tools/get_nearby_dealers");
  expect(screen.getByText("Too many requests")).toBeVisible();
  expect(screen.getByText("Upstream timeout")).toBeVisible();
  expect(await screen.findByText("Up")).toBeVisible();
});

test("another range is asked of the server and kept in the address", async () => {
  const { asked, location } = open({ "GET /api/analytics": OVERVIEW });

  await userEvent.click(await screen.findByText("Week"));

  expect(location().search).toMatchObject({ range: "7d" });
  expect(asked.filter((request) => request.url.includes("/api/analytics")).length).toBeGreaterThan(1);
});

test("without calls one is told what to do", async () => {
  open({ "GET /api/analytics": { ...OVERVIEW, totals: { ...TOTALS, calls: 0, success_rate: null } } });

  expect(await screen.findByText("Nobody has called a tool in this time")).toBeVisible();
});

test("what fails is said, and nothing is made up", async () => {
  open({ "GET /api/analytics": () => problem(503, "The database is away.") });

  expect(await screen.findByRole("button", { name: "Try again" })).toBeVisible();
  expect(screen.queryByText("98.8%")).toBeNull();
});

test("without the permission the server is not asked", async () => {
  const { asked } = open({}, []);

  expect(await screen.findByText("This page is not open to you")).toBeVisible();
  expect(asked.filter((request) => request.url.includes("analytics"))).toEqual([]);
});
