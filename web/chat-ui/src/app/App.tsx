import { createQueryClient } from "@msil-mcp/api";
import { AppProviders, makeTheme } from "@msil-mcp/ui";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";

import { useSharedWords } from "../shared/words";
import { router } from "./router";

const theme = makeTheme({ fontSize: 16 });

export function App() {
  const words = useSharedWords();
  const [queryClient] = useState(() => {
    const created = createQueryClient({
      onSignedOut: () => void created.invalidateQueries({ queryKey: ["get", "/api/auth/me"] }),
    });
    return created;
  });
  return (
    <AppProviders theme={theme} queryClient={queryClient} words={words}>
      <RouterProvider router={router} />
    </AppProviders>
  );
}
