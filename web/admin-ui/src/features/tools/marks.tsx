import { Badge } from "@mantine/core";
import type { components } from "@msil-mcp/api";

export type ToolLine = components["schemas"]["ToolPage"]["items"][number];
export type ToolDetail = components["schemas"]["ToolDetail"];

const RISKS: Record<ToolLine["risk"], string> = { read: "gray", write: "yellow", privileged: "red" };
const STATES: Record<ToolLine["state"], string> = { published: "green", changed: "yellow", draft: "gray", disabled: "red", removed: "gray" };
const STATE_WORDS: Record<ToolLine["state"], string> = {
  published: "published",
  changed: "newer version waits",
  draft: "not published",
  disabled: "switched off",
  removed: "removed",
};

export function RiskMark({ risk }: { risk: ToolLine["risk"] }) {
  return (
    <Badge variant="light" tt="none" color={RISKS[risk]}>
      {risk}
    </Badge>
  );
}

export function StateMark({ state }: { state: ToolLine["state"] }) {
  return (
    <Badge variant="light" tt="none" color={STATES[state]}>
      {STATE_WORDS[state]}
    </Badge>
  );
}
