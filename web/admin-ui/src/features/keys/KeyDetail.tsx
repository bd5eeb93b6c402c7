import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { ErrorNotice, RelativeTime } from "@msil-mcp/ui";
import { useState } from "react";

import { ask } from "../../shared/ask";
import { Facts } from "../../shared/Facts";
import { useRefresh } from "../../shared/lists";
import { OVERLAPS } from "../../shared/overlaps";
import type { Fresh } from "./Keys";
import { type Key, KeyStanding, stateOf } from "./standing";

interface Props {
  of: Key;
  onFresh: (fresh: Fresh) => void;
}

export function KeyDetail({ of: key, onFresh }: Props) {
  const refresh = useRefresh("/api/keys");
  const path = { key_id: key.id };
  const [overlap, setOverlap] = useState("86400");
  const end = api.useMutation("delete", "/api/keys/{key_id}", { onSuccess: refresh });
  const rotate = api.useMutation("post", "/api/keys/{key_id}/rotate", {
    onSuccess: async ({ token }, { body }) => {
      const isAtOnce = body.overlap_seconds === 0;
      onFresh({ token, name: key.name, note: isAtOnce ? "The old key has ended." : "The old key works until its time is over." });
      await refresh();
    },
  });
  const error = end.error ?? rotate.error;
  return (
    <Stack>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {key.name}
        </Text>
        <KeyStanding of={key} />
      </Group>
      <Facts facts={factsOf(key)} />
      {error && <ErrorNotice error={error} />}
      {stateOf(key) !== "ended" && (
        <>
          <Group align="flex-end">
            <Select
              label="When it is rotated, the old key works"
              data={OVERLAPS}
              value={overlap}
              allowDeselect={false}
              onChange={(value) => setOverlap(value ?? overlap)}
            />
            <Button
              variant="default"
              loading={rotate.isPending}
              onClick={() => rotate.mutate({ params: { path }, body: { overlap_seconds: Number(overlap) } })}
            >
              Rotate
            </Button>
          </Group>
          <Group>
            <Button
              variant="outline"
              color="danger"
              loading={end.isPending}
              onClick={() =>
                ask({
                  title: `End the key ${key.name}?`,
                  text: "Whoever calls with it is refused within a second. This cannot be undone; its name stays in the audit trail.",
                  confirm: "End the key",
                  onConfirm: () => end.mutate({ params: { path } }),
                })
              }
            >
              End this key
            </Button>
          </Group>
        </>
      )}
    </Stack>
  );
}

function factsOf(key: Key) {
  return [
    ["Begins with", key.prefix],
    ["Roles", key.roles.join(", ") || "none"],
    ["Held to", key.scopes ? key.scopes.join(", ") || "no tools" : "what its roles see"],
    ["Belongs to", key.owner_id === null ? "nobody: a program's own" : `user:${key.owner_id}`],
    ["Made", <RelativeTime key="made" at={key.created_at} />],
    ["Made by", key.created_by],
    ["Last used", key.last_used_at ? <RelativeTime key="used" at={key.last_used_at} /> : "never"],
    ["Expires", key.expires_at ? <RelativeTime key="expires" at={key.expires_at} /> : "never"],
    ["Ended", key.revoked_at ? <RelativeTime key="ended" at={key.revoked_at} /> : undefined],
    ["Id", `key:${key.id}`],
  ] as const;
}
