import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, limits } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { restOf, rulesOf, showAtFields } from "../../shared/forms";
import type { Permission } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";
import { MEANINGS } from "./permissions";
import { PermissionsInput } from "./PermissionsInput";
import type { Role } from "./sight";

interface Props {
  isOpen: boolean;
  onClose: () => void;
  onAdded: (role: Role) => void;
}

const FIRST = { name: "", description: "", permissions: ["profile:read", "tools:read"] as Permission[] };
const { name, description } = rulesOf(limits.RoleBody, {
  name: "Small letters, digits, - and _, beginning with a letter, at most 64.",
});

export function AddRole({ isOpen, onClose, onAdded }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Add a role" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <Fields onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function Fields({ onClose, onAdded }: Omit<Props, "isOpen">) {
  const refresh = useRefresh("/api/roles");
  const form = useForm({ initialValues: FIRST, validate: { name, description } });
  const add = api.useMutation("post", "/api/roles", {
    onSuccess: async (role) => {
      await refresh();
      onAdded(role);
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(add.error, Object.keys(FIRST));
  const chosen = form.values.permissions.map((one) => MEANINGS[one].toLowerCase());
  return (
    <form onSubmit={form.onSubmit((body) => add.mutate({ body }))}>
      <Stack gap="sm">
        <TextInput label="Name" withAsterisk data-autofocus {...form.getInputProps("name")} />
        <TextInput label="For" description="Who carries it, and what for" {...form.getInputProps("description")} />
        <PermissionsInput {...form.getInputProps("permissions")} />
        <Text size="sm" role="status">
          Whoever carries it may {chosen.join("; ") || "do nothing"}. It sees no tools until you show it some, on its page.
        </Text>
        {error !== undefined && <ErrorNotice error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={add.isPending}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
