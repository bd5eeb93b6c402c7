import "@msil-mcp/ui/styles.css";

import { shareNonce } from "@msil-mcp/ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App";
import { startLanguages } from "./shared/i18n";

shareNonce();
await startLanguages();
const element = document.getElementById("root");
if (!element) throw new Error("index.html has no #root");
createRoot(element).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
