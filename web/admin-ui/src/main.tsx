import "@msil-mcp/ui/styles.css";

import { shareNonce } from "@msil-mcp/ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App";

shareNonce();
const element = document.getElementById("root");
if (!element) throw new Error("index.html has no #root");
createRoot(element).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
