import { api } from "@msil-mcp/api";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { SignInGate } from "./SignInGate";
import { problem, renderApp, serve } from "./testing";

const ME = { id: "user:1", kind: "user", name: "Asha", roles: ["user"], permissions: ["chat:use"], scopes: null, expires_at: null, attributes: {} };
const WAYS = { loopback: false, password: false, oidc: null };

afterEach(() => {
  window.history.replaceState(null, "", "/");
  localStorage.clear();
});

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

test("why a provider's sign-in came to nothing is said in a sentence, and nothing else of the address", async () => {
  serve({ "GET /api/auth/me": () => problem(401, "Sign in."), "GET /api/auth/options": { ...WAYS, password: true } });
  window.history.replaceState(null, "", "/?sign_in_error=no_role&correlation_id=c-1");
  gate();

  expect(await screen.findByRole("alert")).toHaveTextContent(/you have no role here yet/);
  expect(screen.getByRole("alert")).toHaveTextContent("c-1");
});

test("an address made up by somebody else puts no words of theirs on the page", async () => {
  serve({ "GET /api/auth/me": () => problem(401, "Sign in."), "GET /api/auth/options": { ...WAYS, password: true } });
  window.history.replaceState(null, "", "/?sign_in_error=call_1800_and_pay&correlation_id=send+your+password+to+eve");
  gate();

  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("The server did not say why");
  expect(alert).not.toHaveTextContent(/1800|eve/);
});

test("the theme and the language chosen elsewhere are in force before the app is seen", async () => {
  serve({ "GET /api/auth/me": { ...ME, preferences: { theme: "dark", locale: "hi", time_zone: null } } });
  const speak = vi.fn(() => Promise.resolve());
  renderApp(
    <SignInGate title="MSIL assistant" speak={speak}>
      {() => <p>{document.documentElement.getAttribute("data-mantine-color-scheme")}</p>}
    </SignInGate>,
  );

  expect(await screen.findByText("dark")).toBeVisible();
  expect(speak).toHaveBeenCalledWith("hi");
});

test("a server that is away for a while takes the app from nobody", async () => {
  let isAway = false;
  serve({ "GET /api/auth/me": () => (isAway ? problem(502, "Bad gateway") : ME) });
  renderApp(<SignInGate title="MSIL assistant">{() => <Again />}</SignInGate>);
  await userEvent.type(await screen.findByLabelText("Thought"), "half");

  isAway = true;
  await userEvent.click(screen.getByRole("button", { name: "Ask again who I am" }));

  expect(await screen.findByText("asked")).toBeVisible();
  expect(screen.getByLabelText("Thought")).toHaveValue("half");
});

function Again() {
  const me = api.useQuery("get", "/api/auth/me", {}, { meta: { identity: true } });
  return (
    <>
      <input aria-label="Thought" />
      <button onClick={() => void me.refetch()}>Ask again who I am</button>
      {me.error && "asked"}
    </>
  );
}

test("what was shown to one person is not kept for the next", async () => {
  let who: typeof ME | undefined = ME;
  serve({
    "GET /api/auth/me": () => who ?? problem(401, "Sign in."),
    "GET /api/auth/options": { ...WAYS, loopback: true },
    "POST /api/auth/loopback": () => {
      who = { ...ME, id: "user:2", name: "Ravi" };
      return { id: "user:2", name: "Ravi" };
    },
    "GET /api/bundles": () => [{ name: `bundle of ${who?.name ?? "nobody"}` }],
  });
  renderApp(<SignInGate title="MSIL assistant">{(profile) => <Shown key={profile.id} />}</SignInGate>);
  await screen.findByText("bundle of Asha");

  who = undefined;
  await userEvent.click(screen.getByRole("button", { name: "Ask" }));
  await userEvent.click(await screen.findByRole("button", { name: "Continue on this computer" }));

  await screen.findByText("bundle of Ravi");
  expect(screen.queryByText("bundle of Asha")).toBeNull();
});

function Shown() {
  const me = api.useQuery("get", "/api/auth/me", {}, { meta: { identity: true } });
  const bundles = api.useQuery("get", "/api/bundles", {}, { staleTime: Infinity });
  return (
    <>
      <button onClick={() => void me.refetch()}>Ask</button>
      {bundles.data?.[0]?.name}
    </>
  );
}
