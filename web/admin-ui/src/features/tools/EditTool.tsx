import { Button, Group, NativeSelect, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { useRefresh } from "../../shared/lists";
import type { ToolDetail } from "./marks";
import { RISKS } from "./search";
import { Differences } from "./Versions";

interface Values {
  title: string;
  description: string;
  risk: ToolDetail["risk"];
  confirmation: "" | "required" | "waived";
  enabled: boolean;
}

type Patch = components["schemas"]["ToolPatch"];

const CONFIRMATIONS = [
  { value: "", label: "As the risk asks for" },
  { value: "required", label: "Always ask a person" },
  { value: "waived", label: "Never ask" },
];

/** What an administrator may say otherwise than the document; the effect is shown before saving. */
export function EditTool({ tool }: { tool: ToolDetail }) {
  const refresh = useRefresh("/api/tools", "/api/bundles");
  const form = useForm<Values>({
    initialValues: {
      title: tool.title,
      description: tool.description,
      risk: tool.risk,
      confirmation: tool.edits?.confirmation ?? "",
      enabled: tool.enabled,
    },
  });
  const preview = api.useMutation("patch", "/api/tools/{name}");
  const save = api.useMutation("patch", "/api/tools/{name}", {
    onSuccess: async () => {
      notifications.show({ message: "Saved and in force." });
      await refresh();
    },
  });
  const params = (isDry: boolean) => ({ path: { name: tool.name }, query: { dry_run: isDry } });
  const body = (): Patch => {
    const { title, description, risk, confirmation, enabled } = form.getValues();
    // What is as in the document is no edit.
    const imported = tool.edits?.imported ?? tool;
    return {
      title: title.trim() === imported.title ? null : title.trim(),
      description: description.trim() === imported.description ? null : description.trim(),
      risk: risk === imported.risk ? null : risk,
      confirmation: confirmation === "" ? null : confirmation,
      enabled,
      publish: tool.published_version !== null,
    };
  };
  const error = preview.error ?? save.error;
  return (
    <form onSubmit={form.onSubmit(() => preview.mutate({ params: params(true), body: body() }))} onChange={() => preview.reset()}>
      <Stack gap="sm">
        <TextInput label="Title" description={tool.edits ? `In the document: ${tool.edits.imported.title}` : undefined} {...form.getInputProps("title")} />
        <Textarea label="Description" description="Models choose a tool by this text." autosize minRows={3} {...form.getInputProps("description")} />
        <Group grow align="flex-start">
          <NativeSelect label="Risk" data={[...RISKS]} {...form.getInputProps("risk")} />
          <NativeSelect label="Confirmation" data={CONFIRMATIONS} {...form.getInputProps("confirmation")} />
        </Group>
        <Switch label="Switched on" description="Off, nobody sees or calls it, within a second." {...form.getInputProps("enabled", { type: "checkbox" })} />
        {error && <ErrorNotice error={error} />}
        {preview.data && (
          <section aria-live="polite">
            <Text fw={600} size="sm" mb={4}>
              {preview.data.changed ? "This would change" : "This changes nothing"}
            </Text>
            {preview.data.changed && <Differences differences={preview.data.differences} />}
          </section>
        )}
        <Group>
          <Button type="submit" variant={preview.data?.changed ? "default" : "filled"} loading={preview.isPending}>
            Show the effect
          </Button>
          {preview.data?.changed && (
            <Button loading={save.isPending} onClick={() => save.mutate({ params: params(false), body: body() })}>
              Save
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
