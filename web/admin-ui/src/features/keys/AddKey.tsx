import { Button, Group, Modal, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, type components, limits } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { restOf, rulesOf, showAtFields } from "../../shared/forms";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, useAllRows, useRefresh } from "../../shared/lists";
import { RolesInput } from "../../shared/RolesInput";

interface Props {
  isOpen: boolean;
  onClose: () => void;
  onAdded: (made: components["schemas"]["FreshKey"]) => void;
}

const DAY_MS = 86_400_000;
const LIFETIMES = [
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
  { value: "", label: "never" },
];
const FIRST = {
  name: "",
  roles: [...limits.KeyBody.roles.default] as string[],
  scopes: [] as string[],
  owner_id: null as string | null,
  expires_at: "90",
};

export function AddKey({ isOpen, onClose, onAdded }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Make a key" closeButtonProps={{ "aria-label": "Close" }}>
      <Fields onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

const { name, roles, scopes } = rulesOf(limits.KeyBody, { scopes: "write tools, bundle:NAME or tool:NAME." });

function Fields({ onClose, onAdded }: Omit<Props, "isOpen">) {
  const may = useMay();
  const refresh = useRefresh("/api/keys");
  const bundles = api.useQuery("get", "/api/bundles", {}, { enabled: may("tools:read") });
  const everybody = { params: { query: { limit: 200 } } };
  const users = useAllRows(api.useInfiniteQuery("get", "/api/users", everybody, { ...BY_CURSOR, enabled: may("users:manage") }));
  const form = useForm({ initialValues: FIRST, validate: { name, roles, scopes } });
  const add = api.useMutation("post", "/api/keys", {
    onSuccess: async (made) => {
      await refresh();
      onAdded(made);
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(add.error, Object.keys(FIRST));
  return (
    <form onSubmit={form.onSubmit((values) => add.mutate({ body: bodyOf(values) }))}>
      <Stack gap="sm">
        <TextInput label="Name" description="The program that will call with it" withAsterisk data-autofocus {...form.getInputProps("name")} />
        <RolesInput description="What it may do, and which tools it sees" {...form.getInputProps("roles")} />
        <TagsInput
          label="Hold it to"
          description="Fewer tools than its roles see: bundle:NAME or tool:NAME. Empty holds it to nothing less."
          data={bundles.data?.map((bundle) => `bundle:${bundle.name}`) ?? []}
          {...form.getInputProps("scopes")}
        />
        {may("users:manage") && (
          <Select
            label="Belongs to"
            description="It never may more than this user, and stops when they are disabled"
            placeholder="Nobody: a program's own"
            data={users.rows?.map((user) => ({ value: String(user.id), label: `${user.display_name} (${user.username})` })) ?? []}
            searchable
            limit={100}
            clearable
            clearButtonProps={{ "aria-label": "Nobody" }}
            {...form.getInputProps("owner_id")}
          />
        )}
        <Select label="Expires" data={LIFETIMES} allowDeselect={false} {...form.getInputProps("expires_at")} />
        {error !== undefined && <ErrorNotice error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={add.isPending}>
            Make it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function bodyOf(values: typeof FIRST): components["schemas"]["KeyBody"] {
  const days = Number(values.expires_at);
  return {
    name: values.name,
    roles: values.roles,
    scopes: values.scopes.length > 0 ? values.scopes : null,
    owner_id: values.owner_id === null ? null : Number(values.owner_id),
    expires_at: days > 0 ? new Date(Date.now() + days * DAY_MS).toISOString() : null,
  };
}
