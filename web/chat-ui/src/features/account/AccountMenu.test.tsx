import type { Profile } from "@msil-mcp/ui";
import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import i18next from "i18next";
import { afterEach, expect, test } from "vitest";

import { renderChat } from "../../shared/testing";
import { AccountMenu } from "./AccountMenu";

const ASHA: Profile = {
  id: "user:1",
  kind: "user",
  name: "Asha",
  roles: ["user"],
  permissions: ["chat:use"],
  scopes: null,
  expires_at: null,
  attributes: {},
  preferences: { locale: null, theme: null, time_zone: null },
};

afterEach(() => localStorage.clear());

async function choose(name: string) {
  await userEvent.click(screen.getByRole("button", { name: /Asha/ }));
  await userEvent.click(await screen.findByRole("menuitemradio", { name }));
}

test.each([
  ["हिन्दी", { locale: "hi" }],
  ["Dark", { theme: "dark" }],
])("%s is chosen here and kept for other devices", async (name, preferences) => {
  const { asked } = serve({ "PATCH /api/auth/me": ASHA });
  await renderChat(<AccountMenu profile={ASHA} />);

  await choose(name);

  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ preferences });
});

test("a choice that could not be kept counts here, and one is told", async () => {
  serve({ "PATCH /api/auth/me": () => problem(503, "The database is away.") });
  await renderChat(<AccountMenu profile={ASHA} />);

  await choose("Dark");

  expect(await screen.findByText(/This choice counts on this device/)).toBeVisible();
  expect(document.documentElement).toHaveAttribute("data-mantine-color-scheme", "dark");
});

test("a program's key has nowhere to keep a choice", async () => {
  const { asked } = serve({});
  await renderChat(<AccountMenu profile={{ ...ASHA, preferences: null }} />);

  await choose("हिन्दी");

  await waitFor(() => expect(i18next.language).toBe("hi"));
  expect(asked).toEqual([]);
});

test("who could not be signed out is told so", async () => {
  serve({ "POST /api/auth/logout": () => problem(503, "The database is away.") });
  await renderChat(<AccountMenu profile={ASHA} />);

  await userEvent.click(screen.getByRole("button", { name: /Asha/ }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Sign out" }));

  expect((await screen.findAllByText("The database is away."))[0]).toBeVisible();
});
