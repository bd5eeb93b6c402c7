import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import type { Plugin, UserConfig } from "vite";

const API = process.env["MSIL_API"] ?? "http://127.0.0.1:8000";

/** What both apps build alike; the server replaces the nonce in index.html with each answer. */
export function appConfig(name: "chat" | "admin"): UserConfig {
  const root = fileURLToPath(new URL(`./${name}-ui`, import.meta.url));
  return {
    root,
    base: `/${name}/`,
    plugins: [react(), firstTheme(`/${name}/`)],
    html: { cspNonce: "__CSP_NONCE__" },
    build: {
      outDir: fileURLToPath(new URL(`../src/msil_mcp/pages/static/${name}`, import.meta.url)),
      emptyOutDir: true,
      manifest: "manifest.json",
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 1000,
    },
    server: {
      port: name === "chat" ? 5173 : 5174,
      proxy: { "/api": { target: API, ws: true }, "/v1": API },
    },
  };
}

/** A script of its own before all others, because a page's policy lets none run from inside of it. */
function firstTheme(base: string): Plugin {
  const source = readFileSync(new URL("./packages/ui/src/first-theme.js", import.meta.url), "utf8");
  return {
    name: "msil-first-theme",
    transformIndexHtml(_html, { bundle }) {
      const file = Object.values(bundle ?? {}).find((one) => one.names?.includes("first-theme.js"));
      const script = file ? { attrs: { src: base + file.fileName } } : { children: source };
      return [{ tag: "script", injectTo: "head-prepend", ...script }];
    },
    buildStart() {
      if (this.meta.watchMode) return;
      this.emitFile({ type: "asset", name: "first-theme.js", source });
    },
  };
}
