import type { components } from "@msil-mcp/api";

export type OverviewData = components["schemas"]["Overview"];
