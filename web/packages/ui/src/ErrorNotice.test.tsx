import { ApiError } from "@msil-mcp/api";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { ErrorNotice } from "./ErrorNotice";
import { renderApp } from "./testing";

const PROBLEM = { type: "about:blank", title: "Too many requests", status: 429, detail: "Wait 3 s." };

test("an error says what happened, gives its reference and offers to try again", async () => {
  const retry = vi.fn();
  renderApp(<ErrorNotice error={new ApiError({ ...PROBLEM, correlation_id: "abc123" })} onRetry={retry} />);

  expect(screen.getByRole("alert")).toHaveTextContent("Too many requests");
  expect(screen.getByText("abc123")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(retry).toHaveBeenCalledOnce();
});

test("what is not permitted is not offered again", () => {
  renderApp(<ErrorNotice error={new ApiError({ ...PROBLEM, status: 403 })} onRetry={vi.fn()} />);

  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});

test("a server that cannot be reached is told in words", () => {
  renderApp(<ErrorNotice error={new TypeError("fetch failed")} />);

  expect(screen.getByRole("alert")).toHaveTextContent("Nothing was lost");
});
