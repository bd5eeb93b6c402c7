import { createQueryClient } from "@msil-mcp/api";
import { render, type RenderResult } from "@testing-library/react";
import type { ReactElement } from "react";
import { vi } from "vitest";

import { AppProviders } from "./AppProviders";
import { makeTheme } from "./theme";

type Answer = object | null | ((request: Request) => unknown);

/** Renders as the apps do, without retries. */
export function renderApp(element: ReactElement): RenderResult {
  const queryClient = createQueryClient({ onSignedOut: () => undefined });
  queryClient.setDefaultOptions({ queries: { retry: false }, mutations: { retry: false } });
  return render(
    <AppProviders theme={makeTheme({ fontSize: 16 })} queryClient={queryClient} env="test">
      {element}
    </AppProviders>,
  );
}

/**
 * The server at the edge of a component test: answers by "METHOD /path", records what was asked,
 * and refuses what it was not told about.
 */
export function serve(answers: Record<string, Answer>): { asked: Request[] } {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
    const request = new Request(typeof input === "string" ? new URL(input, window.location.href) : input, init);
    asked.push(request.clone());
    const path = new URL(request.url).pathname;
    const answer = answers[`${request.method} ${path}`];
    if (answer === undefined) return problem(404, `the test serves no ${request.method} ${path}`);
    const body: unknown = typeof answer === "function" ? await (answer as (request: Request) => unknown)(request) : answer;
    if (body instanceof Response) return body;
    return body === null ? new Response(null, { status: 204 }) : Response.json(body);
  });
  return { asked };
}

/** A refusal as the server words it. */
export function problem(status: number, detail: string, extra: object = {}): Response {
  const body = { type: "about:blank", title: detail, status, detail, ...extra };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}
