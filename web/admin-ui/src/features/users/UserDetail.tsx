import { Button, Group, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, limits } from "@msil-mcp/api";
import { ErrorNotice, RelativeTime } from "@msil-mcp/ui";

import { ask } from "../../shared/ask";
import { Facts } from "../../shared/Facts";
import { changedOf, restOf, rulesOf, showAtFields } from "../../shared/forms";
import { useIdentity } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";
import { tell } from "../../shared/notice";
import { RolesInput } from "../../shared/RolesInput";
import { type User, UserStanding } from "./standing";
import type { Told } from "./Users";

interface Props {
  id: number;
  onPassword: (told: Told) => void;
}

export function UserDetail({ id, onPassword }: Props) {
  const { data, error, refetch } = api.useQuery("get", "/api/users/{user_id}", { params: { path: { user_id: id } } });
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={320} />;
  return (
    <Stack>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {data.display_name}
        </Text>
        <UserStanding user={data} />
      </Group>
      <Facts facts={factsOf(data)} />
      <Rights key={JSON.stringify([data.display_name, data.email, data.roles])} user={data} />
      <Access user={data} onPassword={onPassword} />
    </Stack>
  );
}

function factsOf(user: User) {
  return [
    ["Username", user.username],
    ["Vouched for by", user.issuer ?? "this service (a local user)"],
    ["Added", <RelativeTime key="added" at={user.created_at} />],
    ["Last sign-in", user.last_login_at ? <RelativeTime key="login" at={user.last_login_at} /> : "never"],
    ["Locked until", user.locked_until ? <RelativeTime key="locked" at={user.locked_until} /> : undefined],
    ["Id", `user:${user.id}`],
  ] as const;
}

const RULES = rulesOf(limits.UserPatch, { email: "An address, as in name@example.com." });

function Rights({ user }: { user: User }) {
  const refresh = useRefresh("/api/users");
  const initialValues = { display_name: user.display_name, email: user.email ?? "", roles: user.roles };
  const { display_name, roles } = RULES;
  // The API knows no way to take an address away.
  const email = (value: string) => (value === "" && user.email ? "An address can be changed, but not taken away." : RULES.email(value));
  const form = useForm({ initialValues, validate: { display_name, email, roles } });
  const save = api.useMutation("patch", "/api/users/{user_id}", {
    onSuccess: async () => {
      tell("Saved.");
      await refresh();
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(save.error, Object.keys(initialValues));
  const gained = form.values.roles.filter((role) => !user.roles.includes(role));
  const lost = user.roles.filter((role) => !form.values.roles.includes(role));
  return (
    <form
      onSubmit={form.onSubmit((values) =>
        save.mutate({ params: { path: { user_id: user.id } }, body: changedOf(values, initialValues) }),
      )}
    >
      <Stack gap="sm">
        <TextInput label="Name" {...form.getInputProps("display_name")} />
        <TextInput label="E-mail" type="email" {...form.getInputProps("email")} />
        <RolesInput {...form.getInputProps("roles")} />
        {(gained.length > 0 || lost.length > 0) && (
          <Text size="sm" role="status">
            {[
              gained.length > 0 && `Gains what ${gained.join(", ")} may do and see.`,
              lost.length > 0 && `Loses what only ${lost.join(", ")} may do and see.`,
              "This counts from the next request on.",
            ]
              .filter(Boolean)
              .join(" ")}
          </Text>
        )}
        {error !== undefined && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Access({ user, onPassword }: { user: User; onPassword: (told: Told) => void }) {
  const { id } = useIdentity();
  const refresh = useRefresh("/api/users");
  const path = { user_id: user.id };
  const change = api.useMutation("patch", "/api/users/{user_id}", { onSuccess: refresh });
  const reset = api.useMutation("post", "/api/users/{user_id}/password", {
    onSuccess: async ({ password }) => {
      if (password) onPassword({ username: user.username, password });
      await refresh();
    },
  });
  const error = change.error ?? reset.error;
  const isOneself = id === `user:${user.id}`;
  return (
    <Stack gap="sm">
      {error && <ErrorNotice error={error} />}
      <Group>
        {!user.issuer && (
          <Button
            variant="default"
            loading={reset.isPending}
            onClick={() =>
              ask({
                title: `Reset the password of ${user.username}?`,
                text: `The present password stops working and every session of ${user.username} ends${isOneself ? ", this one too" : ""}. The new one is shown once.`,
                confirm: "Reset the password",
                onConfirm: () => reset.mutate({ params: { path }, body: {} }),
              })
            }
          >
            Reset password
          </Button>
        )}
        {user.active ? (
          <Button
            variant="outline"
            color="danger"
            loading={change.isPending}
            onClick={() =>
              ask({
                title: `Disable ${user.username}?`,
                text: `${isOneself ? "You are signed out at once" : "Their sessions end at once"}, and keys of theirs stop working. It can be undone: what was recorded of them stays.`,
                confirm: "Disable",
                onConfirm: () => change.mutate({ params: { path }, body: { active: false } }),
              })
            }
          >
            Disable
          </Button>
        ) : (
          <Button variant="default" loading={change.isPending} onClick={() => change.mutate({ params: { path }, body: { active: true } })}>
            Enable again
          </Button>
        )}
      </Group>
    </Stack>
  );
}
