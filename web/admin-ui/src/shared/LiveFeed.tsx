import { Badge, Group, Stack, Text } from "@mantine/core";
import { RelativeTime } from "@msil-mcp/ui";

import { type LiveEvent, type LiveState, useLive } from "./useLive";

const STATES: Record<LiveState, { label: string; color: string }> = {
  connecting: { label: "Connecting", color: "gray" },
  live: { label: "Live", color: "green" },
  offline: { label: "Connection lost; trying again", color: "yellow" },
  refused: { label: "Not open to you", color: "gray" },
};

/** The newest events as they happen. */
export function LiveFeed({ limit, only }: { limit: number; only?: (event: LiveEvent) => boolean }) {
  const { events, state, hasGap } = useLive();
  const shown = (only ? events.filter(only) : events).slice(0, limit);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Badge variant="light" color={STATES[state].color} tt="none" role="status">
          {STATES[state].label}
        </Badge>
        {hasGap && (
          <Text size="xs" c="dimmed">
            Some events were not sent here; the audit trail has them all.
          </Text>
        )}
      </Group>
      {shown.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing has happened since you opened this page.
        </Text>
      )}
      <Stack gap={4} component="ul" p={0} m={0} style={{ listStyle: "none" }} aria-label="Newest events">
        {shown.map((event) => (
          <Group key={event.sequence} component="li" gap="xs" wrap="nowrap">
            <Badge variant="light" color={colourOf(event.type)} tt="none" miw={132} style={{ flexShrink: 0 }}>
              {event.type}
            </Badge>
            <Text size="sm" truncate flex={1}>
              {aboutOf(event)}
            </Text>
            <Text size="xs" c="dimmed" style={{ flexShrink: 0 }}>
              <RelativeTime at={event.at} />
            </Text>
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}

function colourOf(type: string): string {
  if (/denied|failed|declined|interrupted/.test(type)) return "red";
  if (type.startsWith("approval")) return "yellow";
  return type === "write.done" ? "grape" : "gray";
}

/** Who did what to what, from the names an event may carry. */
function aboutOf({ data }: LiveEvent): string {
  const named = (...names: string[]) => names.map((name) => data[name]).find((value): value is string => typeof value === "string");
  return [named("tool", "target", "bundle", "session_id"), named("principal_name", "principal_id"), named("error", "outcome")]
    .filter(Boolean)
    .join(" · ");
}
