import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Users } from "./Users";

const RAVI = {
  id: 2,
  username: "ravi",
  display_name: "Ravi Desai",
  email: null,
  roles: ["user"],
  active: true,
  created_at: "2026-11-20T12:00:00Z",
  last_login_at: null,
  locked_until: null,
  issuer: null,
};
const MEERA = { ...RAVI, id: 3, username: "meera", display_name: "Meera Joshi", active: false, roles: ["auditor"] };
const PLACE = { path: "/users", panel: "$userId", may: ["users:manage"] as const };

test("users are searched and filtered by what the address says", async () => {
  serve({ "GET /api/users": { items: [RAVI, MEERA] } });
  const { location } = renderPage(Users, PLACE);

  expect(await screen.findByText("Ravi Desai")).toBeVisible();
  await userEvent.type(screen.getByLabelText("Search users"), "mee");

  expect(screen.queryByText("Ravi Desai")).toBeNull();
  expect(screen.getByText("Meera Joshi")).toBeVisible();
  expect(location().search).toEqual({ q: "mee" });
});

test("every page of the list is read, so that the search finds all", async () => {
  serve({
    "GET /api/users": (request: Request) =>
      new URL(request.url).searchParams.get("cursor") === "next" ? { items: [MEERA] } : { items: [RAVI], next_cursor: "next" },
  });
  renderPage(Users, PLACE);

  expect(await screen.findByText("Meera Joshi")).toBeVisible();
  expect(screen.getByText("2 in all")).toBeVisible();
});

test("a new user's password is shown once", async () => {
  const { asked } = serve({
    "GET /api/users": { items: [] },
    "POST /api/users": { user: RAVI, password: "correct-horse-battery" },
  });
  renderPage(Users, PLACE);

  await userEvent.click(await screen.findByRole("button", { name: "Add a user" }));
  await userEvent.type(await screen.findByLabelText(/^Username/), "ravi");
  await userEvent.type(screen.getByLabelText(/^Name/), "Ravi Desai");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));

  expect(await screen.findByText("correct-horse-battery")).toBeVisible();
  const sent = asked.find((request) => request.method === "POST");
  expect(await sent?.json()).toMatchObject({ username: "ravi", email: null, password: null, roles: ["user"] });
  await userEvent.click(screen.getByRole("button", { name: "I have kept it" }));
  expect(screen.queryByText("correct-horse-battery")).toBeNull();
});

test("what the API's schema or the server refuses is told at the field", async () => {
  serve({
    "GET /api/users": { items: [] },
    "POST /api/users": () =>
      problem(422, "Not so.", { errors: [{ pointer: "/body/display_name", detail: "Somebody is called that." }] }),
  });
  renderPage(Users, PLACE);

  await userEvent.click(await screen.findByRole("button", { name: "Add a user" }));
  await userEvent.type(await screen.findByLabelText(/^Username/), "not a name");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));
  expect(await screen.findByText(/beginning with a letter or digit, at most 64/)).toBeVisible();

  await userEvent.clear(screen.getByLabelText(/^Username/));
  await userEvent.type(screen.getByLabelText(/^Username/), "ravi");
  await userEvent.type(screen.getByLabelText(/^Name/), "Ravi");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));
  expect(await screen.findByText("Somebody is called that.")).toBeVisible();
});

test("disabling asks first, and tells what the server refuses", async () => {
  const { asked } = serve({
    "GET /api/users": { items: [RAVI] },
    "GET /api/users/2": RAVI,
    "PATCH /api/users/2": () => problem(409, "Somebody has to remain who can administer."),
  });
  renderPage(Users, { ...PLACE, at: "/users/2" });

  await userEvent.click(await screen.findByRole("button", { name: "Disable" }));
  const question = await screen.findByRole("dialog", { name: "Disable ravi?" });
  expect(asked.some((request) => request.method === "PATCH")).toBe(false);
  await userEvent.click(within(question).getByRole("button", { name: "Disable" }));

  expect((await screen.findAllByText("Somebody has to remain who can administer."))[0]).toBeVisible();
  const sent = asked.find((request) => request.method === "PATCH");
  expect(await sent?.json()).toEqual({ active: false });
});

test("without the permission nothing is asked for", async () => {
  const { asked } = serve({});
  renderPage(Users, { ...PLACE, may: [] });

  expect(await screen.findByText("This page is not open to you")).toBeVisible();
  expect(asked).toHaveLength(0);
});
