import { Alert, Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, limits } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { useNavigate } from "@tanstack/react-router";

import { ask } from "../../shared/ask";
import { changedOf, restOf, rulesOf, showAtFields } from "../../shared/forms";
import type { Permission } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";
import { tell } from "../../shared/notice";
import { useCarriers } from "./carriers";
import { Exposures } from "./Exposures";
import { MEANINGS, PERMISSIONS } from "./permissions";
import { PermissionsInput } from "./PermissionsInput";
import type { Exposure, Role } from "./sight";

interface Props {
  role: Role;
  exposures: Exposure[];
}

export function RoleDetail({ role, exposures }: Props) {
  const carriers = useCarriers(role.name);
  return (
    <Stack>
      <Text fw={600}>{role.name}</Text>
      {role.builtin && <Text size="sm">{role.description}</Text>}
      {carriers && (
        <Text size="sm" c="dimmed">
          {carriers}
        </Text>
      )}
      <Exposures role={role.name} exposures={exposures} />
      <Title order={3} size="h5">
        May do
      </Title>
      {role.builtin ? (
        <>
          <Text size="sm" c="dimmed">
            This role comes with the product and changes with it. For other permissions, add a role of your own.
          </Text>
          <PermissionsInput value={known(role)} readOnly />
        </>
      ) : (
        <Rights key={JSON.stringify(role)} role={role} carriers={carriers} />
      )}
    </Stack>
  );
}

function known(role: Role): Permission[] {
  return PERMISSIONS.filter((one) => role.permissions.includes(one));
}

const { description } = rulesOf(limits.RolePatch);

function Rights({ role, carriers }: { role: Role; carriers: string | undefined }) {
  const refresh = useRefresh("/api/roles");
  const navigate = useNavigate();
  const initialValues = { description: role.description, permissions: known(role) };
  const form = useForm({ initialValues, validate: { description } });
  const path = { name: role.name };
  const save = api.useMutation("patch", "/api/roles/{name}", {
    onSuccess: async () => {
      tell("Saved.");
      await refresh();
    },
    onError: (error) => showAtFields(form, error),
  });
  const remove = api.useMutation("delete", "/api/roles/{name}", {
    onSuccess: async () => {
      await navigate({ to: "/roles", search: true });
      await refresh();
    },
  });
  const error = restOf(save.error, Object.keys(initialValues)) ?? remove.error;
  const gained = form.values.permissions.filter((one) => !role.permissions.includes(one));
  const lost = known(role).filter((one) => !form.values.permissions.includes(one));
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate({ params: { path }, body: changedOf(values, initialValues) }))}>
      <Stack gap="sm">
        <TextInput label="For" description="Who carries it, and what for" {...form.getInputProps("description")} />
        <PermissionsInput {...form.getInputProps("permissions")} />
        {(gained.length > 0 || lost.length > 0) && (
          <Alert color="orange" variant="outline" role="status" title="What this changes">
            {gained.length > 0 && <Text size="sm">From then on they may: {inWords(gained)}.</Text>}
            {lost.length > 0 && <Text size="sm">No longer: {inWords(lost)}.</Text>}
            {carriers && <Text size="sm">{carriers}</Text>}
          </Alert>
        )}
        {error !== undefined && error !== null && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            Save
          </Button>
          <Button
            variant="outline"
            color="danger"
            loading={remove.isPending}
            onClick={() =>
              ask({
                title: `Delete the role ${role.name}?`,
                text: "What it was shown goes with it. A role that users or keys still carry cannot be deleted.",
                confirm: "Delete the role",
                onConfirm: () => remove.mutate({ params: { path } }),
              })
            }
          >
            Delete
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function inWords(permissions: readonly Permission[]): string {
  return permissions.map((one) => MEANINGS[one].toLowerCase()).join("; ");
}
