import type { components } from "@msil-mcp/api";

export type Role = components["schemas"]["RoleView"];
export type Exposure = components["schemas"]["ExposureView"];
export type Grant = Pick<Exposure, "kind" | "target">;
export type Tool = components["schemas"]["ToolPage"]["items"][number];

/** "all tools", "the bundle booking", "the tool get_status". */
export function told({ kind, target }: Grant): string {
  if (kind === "all") return "all tools";
  return kind === "bundle" ? `the bundle ${target}` : `the tool ${target}`;
}

/** The names of the tools in force that somebody with these grants sees, before policies. */
export function seenBy(grants: readonly Grant[], tools: readonly Tool[]): Set<string> {
  const isSeen = (tool: Tool) =>
    grants.some(
      ({ kind, target }) =>
        kind === "all" || (kind === "bundle" ? tool.bundles.includes(target) : tool.name === target),
    );
  const inForce = tools.filter((tool) => tool.published_version !== null && tool.state !== "disabled" && tool.state !== "removed");
  return new Set(inForce.filter(isSeen).map((tool) => tool.name));
}

/** What changes for a role when its grants change. */
export function effectOf(before: readonly Grant[], after: readonly Grant[], tools: readonly Tool[]) {
  const [was, is] = [seenBy(before, tools), seenBy(after, tools)];
  return {
    seen: is.size,
    gained: [...is].filter((name) => !was.has(name)),
    lost: [...was].filter((name) => !is.has(name)),
  };
}

const NAMED = 6;

/** "a, b and 3 more". */
export function some(names: readonly string[]): string {
  const rest = names.length - NAMED;
  return rest > 0 ? `${names.slice(0, NAMED).join(", ")} and ${rest} more` : names.join(", ");
}

export function count(amount: number, one: string): string {
  return `${amount} ${one}${amount === 1 ? "" : "s"}`;
}
