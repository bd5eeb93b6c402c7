import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderPage } from "../../shared/testing";
import { Roles } from "./Roles";
import { effectOf, type Tool } from "./sight";

const RECEPTION = { name: "reception", description: "The front desk", permissions: ["tools:read"], builtin: false };
const USER = { name: "user", description: "Uses the chat.", permissions: ["chat:use"], builtin: true };
const GRANT = { id: 1, role: "reception", kind: "bundle", target: "booking" };
const toolOf = (name: string, bundles: string[]) =>
  ({ name, bundles, state: "published", published_version: 1 }) as unknown as Tool;
const TOOLS = [toolOf("get_slots", ["booking"]), toolOf("book", ["booking"]), toolOf("refund", ["money"])];
const SERVED = {
  "GET /api/roles": { items: [RECEPTION, USER] },
  "GET /api/roles/exposures": { items: [GRANT] },
  "GET /api/tools": { items: TOOLS, total: 3 },
  "GET /api/bundles": [
    { name: "booking", title: "", description: "", tools: 2, published: 2 },
    { name: "money", title: "", description: "", tools: 1, published: 1 },
  ],
};
const PLACE = {
  path: "/roles",
  panel: "$roleName",
  may: ["roles:manage", "tools:read", "audit:read"] as const,
};

test("roles are listed with what they see", async () => {
  serve(SERVED);
  renderPage(Roles, PLACE);

  expect(await screen.findByText("the bundle booking")).toBeVisible();
  expect(screen.getByText("no tools")).toBeVisible();
  expect(screen.getByText("built in")).toBeVisible();
});

test("the effect of showing a bundle is told before it is saved", async () => {
  const { asked } = serve({ ...SERVED, "POST /api/roles/exposures": { ...GRANT, id: 2, target: "money" } });
  renderPage(Roles, { ...PLACE, at: "/roles/reception" });

  await userEvent.click(await screen.findByRole("combobox", { name: "Bundle" }));
  await userEvent.click(await screen.findByRole("option", { name: "money", hidden: true }));
  expect(await screen.findByText(/reception would see 1 tool more: refund. In all it would see 3 tools./)).toBeVisible();
  expect(asked.some((request) => request.method === "POST")).toBe(false);
  await userEvent.click(screen.getByRole("button", { name: "Show it to reception" }));

  const sent = asked.find((request) => request.method === "POST");
  expect(await sent?.json()).toEqual({ role: "reception", kind: "bundle", target: "money" });
});

test("taking a bundle away asks, and names the tools that disappear", async () => {
  const { asked } = serve({ ...SERVED, "DELETE /api/roles/exposures/1": null });
  renderPage(Roles, { ...PLACE, at: "/roles/reception" });

  expect(await screen.findByText("2 tools in force.")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Take the bundle booking away" }));
  const question = await screen.findByRole("dialog", { name: "Take the bundle booking away from reception?" });
  expect(question).toHaveTextContent("2 tools can no longer be seen or called: get_slots, book.");
  await userEvent.click(within(question).getByRole("button", { name: "Take away" }));

  await expect.poll(() => asked.some((request) => request.method === "DELETE")).toBe(true);
});

test("a change of permissions says what people gain, and gives away only what one has", async () => {
  const { asked } = serve({ ...SERVED, "PATCH /api/roles/reception": RECEPTION });
  renderPage(Roles, { ...PLACE, at: "/roles/reception" });

  await userEvent.click(await screen.findByRole("checkbox", { name: /Read the audit trail/ }));
  expect(screen.getByText("From then on they may: read the audit trail.")).toBeVisible();
  expect(screen.getByRole("checkbox", { name: /Make and end keys/ })).toBeDisabled();
  await userEvent.click(screen.getByRole("button", { name: "Save" }));

  const sent = asked.find((request) => request.method === "PATCH");
  expect(await sent?.json()).toEqual({ permissions: ["tools:read", "audit:read"] });
});

test("a role that is carried cannot be deleted, and the page says why", async () => {
  serve({ ...SERVED, "DELETE /api/roles/reception": () => problem(409, "2 users carry reception.") });
  renderPage(Roles, { ...PLACE, at: "/roles/reception" });

  await userEvent.click(await screen.findByRole("button", { name: "Delete" }));
  await userEvent.click(await screen.findByRole("button", { name: "Delete the role" }));

  expect((await screen.findAllByText("2 users carry reception."))[0]).toBeVisible();
});

test("a new role is named as the API asks", async () => {
  const { asked } = serve({ ...SERVED, "POST /api/roles": RECEPTION });
  renderPage(Roles, PLACE);

  await userEvent.click(await screen.findByRole("button", { name: "Add a role" }));
  await userEvent.type(await screen.findByLabelText(/^Name/), "Front Desk");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));

  expect(await screen.findByText(/Small letters, digits/)).toBeVisible();
  expect(asked.some((request) => request.method === "POST")).toBe(false);
});

test("a tool seen by two grants stays when one goes", () => {
  const both = [
    { kind: "bundle", target: "booking" },
    { kind: "tool", target: "book" },
  ] as const;

  expect(effectOf(both, [both[1]], TOOLS)).toEqual({ seen: 1, gained: [], lost: ["get_slots"] });
});
