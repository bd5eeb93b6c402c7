import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { restOf, showAtFields } from "../../shared/forms";
import { useRefresh } from "../../shared/lists";

export function NewBundle({ onMade }: { onMade: (name: string) => void }) {
  const refresh = useRefresh("/api/bundles");
  const form = useForm({ initialValues: { name: "", title: "" } });
  const make = api.useMutation("post", "/api/bundles", {
    onSuccess: async ({ bundle }) => {
      await refresh();
      onMade(bundle.name);
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(make.error, ["name", "title"]);
  return (
    <form onSubmit={form.onSubmit((body) => make.mutate({ body }))}>
      <Stack>
        <TextInput label="Name" description="In addresses and settings, as service_booking" withAsterisk {...form.getInputProps("name")} />
        <TextInput label="Title" description="What people read" withAsterisk {...form.getInputProps("title")} />
        {error !== undefined && <ErrorNotice error={error} />}
        <Group>
          <Button type="submit" loading={make.isPending}>
            Make the bundle
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
