import { Button, Group, Modal, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, type components, limits } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { restOf, rulesOf, showAtFields } from "../../shared/forms";
import { useRefresh } from "../../shared/lists";
import { RolesInput } from "../../shared/RolesInput";

interface Props {
  isOpen: boolean;
  onClose: () => void;
  onAdded: (made: components["schemas"]["UserWithPassword"]) => void;
}

const RULES = rulesOf(limits.UserBody, {
  username: "Letters, digits and . _ @ -, beginning with a letter or digit, at most 64.",
  email: "An address, as in name@example.com.",
});
const FIRST = { username: "", display_name: "", email: "", roles: [...limits.UserBody.roles.default] as string[], password: "" };

export function AddUser({ isOpen, onClose, onAdded }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Add a user" closeButtonProps={{ "aria-label": "Close" }}>
      <Fields onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function Fields({ onClose, onAdded }: Omit<Props, "isOpen">) {
  const refresh = useRefresh("/api/users");
  const { username, display_name, email, roles, password } = RULES;
  const form = useForm({ initialValues: FIRST, validate: { username, display_name, email, roles, password } });
  const add = api.useMutation("post", "/api/users", {
    onSuccess: async (made) => {
      await refresh();
      onAdded(made);
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(add.error, Object.keys(FIRST));
  return (
    <form
      onSubmit={form.onSubmit((values) =>
        add.mutate({ body: { ...values, email: values.email || null, password: values.password || null } }),
      )}
    >
      <Stack gap="sm">
        <TextInput label="Username" description="What they sign in with" withAsterisk data-autofocus {...form.getInputProps("username")} />
        <TextInput label="Name" withAsterisk {...form.getInputProps("display_name")} />
        <TextInput label="E-mail" type="email" {...form.getInputProps("email")} />
        <RolesInput description="What they may do, and which tools they see" {...form.getInputProps("roles")} />
        <PasswordInput
          label="Password"
          description="Leave it empty, and one is made up and shown once"
          autoComplete="new-password"
          {...form.getInputProps("password")}
        />
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
