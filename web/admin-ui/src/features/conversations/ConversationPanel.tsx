import { Badge, Button, Card, Center, Group, Skeleton, Stack, Text } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { duration, ErrorNotice, exactCount, Json, money, RelativeTime } from "@msil-mcp/ui";

import { Facts } from "../../shared/Facts";
import { BY_CURSOR } from "../../shared/lists";

type Said = components["schemas"]["SaidMessage"];
type Detail = components["schemas"]["ConversationDetail"];

const PAGE = 50;

/** One conversation, read only and masked: what was said, what tools did, what it took. */
export function ConversationPanel({ id }: { id: string }) {
  const path = { session_id: id };
  const detail = api.useQuery("get", "/api/conversations/{session_id}", { params: { path } });
  const messages = api.useInfiniteQuery(
    "get",
    "/api/conversations/{session_id}/messages",
    { params: { path, query: { limit: PAGE } } },
    BY_CURSOR,
  );
  const error = detail.error ?? messages.error;
  if (!messages.data || !detail.data) {
    const retry = () => void Promise.all([detail.refetch(), messages.refetch()]);
    return error ? <ErrorNotice error={error} onRetry={retry} /> : <Skeleton height={400} />;
  }
  return (
    <Stack>
      <Facts facts={factsOf(detail.data)} />
      {messages.hasNextPage && (
        <Center>
          <Button size="compact-sm" variant="subtle" loading={messages.isFetchingNextPage} onClick={() => void messages.fetchNextPage()}>
            Show earlier messages
          </Button>
        </Center>
      )}
      {messages.data.pages
        .toReversed()
        .flatMap((page) => page.items)
        .map((message) => (
          <Message key={message.id} message={message} />
        ))}
    </Stack>
  );
}

function factsOf({ owner_name, owner_id, statistics, deleted_at }: Detail) {
  return [
    ["Person", owner_name ? `${owner_name} (${owner_id})` : owner_id],
    ["Messages", `${statistics.user_messages} of the person, ${statistics.assistant_messages} of the assistant`],
    ["Tool calls", `${statistics.tool_calls}, ${statistics.tool_calls_failed} failed`],
    ["Time of a call", statistics.p95_tool_ms === null ? undefined : `P95 ${duration(statistics.p95_tool_ms)}`],
    ["Tokens", `${exactCount(statistics.input_tokens + statistics.output_tokens)}, ${money(statistics.cost_usd)}`],
    ["Deleted", deleted_at === null ? undefined : <RelativeTime key="deleted" at={deleted_at} />],
  ] as const;
}

function Message({ message }: { message: Said }) {
  return (
    <Card withBorder padding="sm" component="article" aria-label={message.role}>
      <Group justify="space-between" mb={4}>
        <Group gap="xs">
          <Text size="xs" fw={600}>
            {message.role === "user" ? "Person" : "Assistant"}
          </Text>
          {message.status !== "complete" && <Mark text={message.status} color="yellow" />}
          {!message.on_branch && <Mark text="another version" color="gray" />}
          {message.rating && <Mark text={`thumb ${message.rating}`} color={message.rating === "up" ? "green" : "red"} />}
        </Group>
        <Text size="xs" c="dimmed">
          <RelativeTime at={message.at} />
        </Text>
      </Group>
      {message.comment && <Text size="sm">“{message.comment}”</Text>}
      {message.tool_calls.map((call, index) => (
        <div key={index}>
          <Text size="xs" c="dimmed">
            {call.tool}: {call.outcome}
            {call.duration_ms === null ? "" : `, ${duration(call.duration_ms)}`}
            {call.error ? `, ${call.error}` : ""}
          </Text>
          <Json value={{ arguments: call.arguments, result: call.result }} label={`call of ${call.tool}`} maxHeight={160} />
        </div>
      ))}
      <Text size="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {message.text}
      </Text>
    </Card>
  );
}

function Mark({ text, color }: { text: string; color: string }) {
  return (
    <Badge size="sm" variant="light" tt="none" color={color}>
      {text}
    </Badge>
  );
}
