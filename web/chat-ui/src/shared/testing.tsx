import { WordsProvider } from "@msil-mcp/ui";
import { renderApp } from "@msil-mcp/ui/testing";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from "@tanstack/react-router";
import type { RenderResult } from "@testing-library/react";
import i18next from "i18next";
import type { ReactElement, ReactNode } from "react";

import { chooseLanguage, type Language, startLanguages } from "./i18n";
import { useSharedWords } from "./words";

/** Renders a part of the chat with its languages, at an address of the app. */
export async function renderChat(
  element: ReactElement,
  { at = "/", language = "en" }: { at?: string; language?: Language } = {},
): Promise<RenderResult & { path: () => string }> {
  if (!i18next.isInitialized) await startLanguages();
  await chooseLanguage(language);
  const root = createRootRoute({ component: Outlet });
  const page = { getParentRoute: () => root, component: () => element };
  const router = createRouter({
    routeTree: root.addChildren([
      createRoute({ ...page, path: "/" }),
      createRoute({ ...page, path: "/c/$sessionId" }),
    ]),
    history: createMemoryHistory({ initialEntries: [at] }),
  });
  await router.load();
  const rendered = renderApp(
    <Worded>
      <RouterProvider router={router as never} />
    </Worded>,
  );
  return { ...rendered, path: () => router.state.location.pathname };
}

function Worded({ children }: { children: ReactNode }) {
  return <WordsProvider value={useSharedWords()}>{children}</WordsProvider>;
}
