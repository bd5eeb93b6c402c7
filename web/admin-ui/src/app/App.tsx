import { ModalsProvider } from "@mantine/modals";
import { createQueryClient } from "@msil-mcp/api";
import { AppProviders, makeTheme } from "@msil-mcp/ui";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";

import { router } from "./router";

const theme = makeTheme({ fontSize: 14 });

export function App() {
  const [queryClient] = useState(() => {
    const created = createQueryClient({
      onSignedOut: () => void created.invalidateQueries({ queryKey: ["get", "/api/auth/me"] }),
    });
    return created;
  });
  return (
    <AppProviders theme={theme} queryClient={queryClient}>
      <ModalsProvider>
        <RouterProvider router={router} />
      </ModalsProvider>
    </AppProviders>
  );
}
