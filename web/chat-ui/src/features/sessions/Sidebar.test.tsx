import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { renderChat } from "../../shared/testing";
import { Sidebar } from "./Sidebar";

function session(id: string, title: string, facts: object = {}) {
  return {
    id,
    owner_id: "user:1",
    title,
    language: "en",
    model: null,
    pinned: false,
    archived: false,
    head_id: null,
    metadata: {},
    created_at: "2026-11-22T10:00:00Z",
    updated_at: "2026-11-22T10:00:00Z",
    last_message_at: null,
    ...facts,
  };
}

const LIST = "GET /api/chat/sessions";

function open(at = "/") {
  return renderChat(<Sidebar onOpen={vi.fn()} searchRef={{ current: null }} />, { at });
}

async function choose(title: string, action: string) {
  await userEvent.click(await screen.findByRole("button", { name: `More for ${title}` }));
  await userEvent.click(await screen.findByRole("menuitem", { name: action }));
  await waitFor(() => expect(screen.queryByRole("menu")).toBeNull());
}

test("conversations are listed and the open one is marked", async () => {
  serve({ [LIST]: { items: [session("a", "First", { pinned: true }), session("b", "Second")], next_cursor: null } });
  await open("/c/b");

  const list = await screen.findByRole("list", { name: "Conversations" });
  expect(await within(list).findByRole("link", { name: /First/ })).toBeVisible();
  expect(within(list).getByLabelText("Pinned")).toBeVisible();
  expect(within(list).getByRole("link", { name: "Second" })).toHaveAttribute("aria-current", "page");
});

test("a search asks the server for what was said", async () => {
  const { asked } = serve({ [LIST]: { items: [], next_cursor: null } });
  await open();

  await userEvent.type(screen.getByLabelText("Search conversations"), "Hinjewadi");

  await waitFor(() => expect(asked.some((request) => new URL(request.url).searchParams.get("q") === "Hinjewadi")).toBe(true));
  expect(await screen.findByText("Nothing was found.")).toBeVisible();
});

test.each([
  ["Pin", { pinned: true }],
  ["Archive", { archived: true }],
])("a menu offers to %s", async (action, change) => {
  const { asked } = serve({ [LIST]: { items: [session("a", "First")], next_cursor: null }, "PATCH /api/chat/sessions/a": session("a", "First") });
  await open();

  await choose("First", action);

  await waitFor(() => expect(asked.some((request) => request.method === "PATCH")).toBe(true));
  expect(await asked.find((request) => request.method === "PATCH")?.json()).toEqual(change);
});

test("a conversation gets another title", async () => {
  const { asked } = serve({ [LIST]: { items: [session("a", "First")], next_cursor: null }, "PATCH /api/chat/sessions/a": session("a", "Other") });
  await open();

  await choose("First", "Rename");
  const field = await screen.findByLabelText("Title");
  await userEvent.clear(field);
  await userEvent.type(field, "Other{Enter}");

  await waitFor(() => expect(asked.some((request) => request.method === "PATCH")).toBe(true));
  expect(await asked.find((request) => request.method === "PATCH")?.json()).toEqual({ title: "Other" });
});

test("a deleted conversation is left, and can be taken back when its line is gone", async () => {
  let items = [session("a", "First")];
  const { asked } = serve({
    [LIST]: () => ({ items, next_cursor: null }),
    "DELETE /api/chat/sessions/a": () => {
      items = [];
      return null;
    },
    "POST /api/chat/sessions/a/restore": session("a", "First"),
  });
  const { path } = await open("/c/a");

  await choose("First", "Delete");
  await userEvent.click(await screen.findByRole("button", { name: "Undo" }));

  await waitFor(() => expect(asked.map((request) => request.method)).toContain("POST"));
  expect(path()).toBe("/");
});

test("what the server refuses is said in its words", async () => {
  serve({ [LIST]: () => problem(503, "The database is away.") });
  await open();

  expect(await screen.findByRole("alert")).toHaveTextContent("The database is away.");
});
