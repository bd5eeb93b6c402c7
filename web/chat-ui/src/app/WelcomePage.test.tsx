import { problem, serve } from "@msil-mcp/ui/testing";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { renderChat } from "../shared/testing";
import { WelcomePage } from "./WelcomePage";

const SUGGESTION = {
  name: "book",
  title: "Book a service",
  description: "",
  bundle: "service_booking",
  bundle_title: "Service booking",
  template: "Book a service for {plate}",
  example: "Book a service for MH12AB1234",
  arguments: [],
};

test("a suggestion begins a conversation", async () => {
  const { asked } = serve({ "GET /api/chat/suggestions": [SUGGESTION], "POST /api/chat/sessions": { id: "abc" } });
  const { path } = await renderChat(<WelcomePage />);

  await userEvent.click(await screen.findByRole("button", { name: /Book a service/ }));

  await waitFor(() => expect(path()).toBe("/c/abc"));
  expect(await asked.find((request) => request.method === "POST")?.json()).toEqual({ language: "en" });
});

test("own words begin one too", async () => {
  serve({ "GET /api/chat/suggestions": [], "POST /api/chat/sessions": { id: "abc" } });
  const { path } = await renderChat(<WelcomePage />);

  await userEvent.type(screen.getByLabelText("What do you want to say?"), "Hello{Enter}");

  await waitFor(() => expect(path()).toBe("/c/abc"));
});

test("what cannot be sent stays written, and the server says why", async () => {
  serve({ "GET /api/chat/suggestions": [], "POST /api/chat/sessions": () => problem(503, "The database is away.") });
  await renderChat(<WelcomePage />);

  await userEvent.type(screen.getByLabelText("What do you want to say?"), "A long thought{Enter}");

  expect(await screen.findByRole("alert")).toHaveTextContent("The database is away.");
  expect(screen.getByLabelText("What do you want to say?")).toHaveValue("A long thought");
});
