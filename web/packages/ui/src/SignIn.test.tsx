import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { SignInGate } from "./SignInGate";
import { problem, renderApp, serve } from "./testing";

const ME = { id: "user:1", kind: "user", name: "Asha", roles: ["user"], permissions: ["chat:use"], scopes: null, expires_at: null, attributes: {} };
const WAYS = { loopback: false, password: false, oidc: null };

function gate() {
  renderApp(<SignInGate title="MSIL assistant">{(profile) => <p>Hello {profile.name}</p>}</SignInGate>);
}

test("whoever is signed in sees the app at once", async () => {
  serve({ "GET /api/auth/me": ME });
  gate();

  expect(await screen.findByText("Hello Asha")).toBeVisible();
});

test("one click signs in where the server offers it", async () => {
  let isSignedIn = false;
  serve({
    "GET /api/auth/me": () => (isSignedIn ? ME : problem(401, "Sign in.")),
    "GET /api/auth/options": { ...WAYS, loopback: true },
    "POST /api/auth/loopback": () => {
      isSignedIn = true;
      return { id: "user:1", name: "Asha" };
    },
  });
  gate();

  await userEvent.click(await screen.findByRole("button", { name: "Continue on this computer" }));

  expect(await screen.findByText("Hello Asha")).toBeVisible();
});

test("a wrong password is refused in the server's words and can be typed again", async () => {
  serve({
    "GET /api/auth/me": () => problem(401, "Sign in."),
    "GET /api/auth/options": { ...WAYS, password: true },
    "POST /api/auth/login": () => problem(401, "The name or the password is wrong."),
  });
  gate();

  await userEvent.type(await screen.findByLabelText(/User name/), "asha");
  await userEvent.type(screen.getByLabelText(/^Password/), "guess");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));

  expect(await screen.findByRole("alert")).toHaveTextContent("The name or the password is wrong.");
  expect(screen.getByLabelText(/User name/)).toHaveValue("asha");
});

test("an identity provider is a link that leads back here", async () => {
  serve({
    "GET /api/auth/me": () => problem(401, "Sign in."),
    "GET /api/auth/options": { ...WAYS, oidc: { label: "Continue with Acme", start_url: "/api/auth/oidc/start" } },
  });
  gate();

  const link = await screen.findByRole("link", { name: "Continue with Acme" });
  expect(link).toHaveAttribute("href", "/api/auth/oidc/start?next=%2F");
});

test("a server where nobody can sign in yet says how to begin", async () => {
  serve({ "GET /api/auth/me": () => problem(401, "Sign in."), "GET /api/auth/options": WAYS });
  gate();

  expect(await screen.findByText(/Make the first user/)).toBeVisible();
});
