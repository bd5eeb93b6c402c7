import { Anchor, Button, Group, MultiSelect, Skeleton, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice, exactCount } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { ask } from "../../shared/ask";
import { Facts } from "../../shared/Facts";
import { changedOf } from "../../shared/forms";
import { useMay } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";

type Detail = components["schemas"]["BundleDetail"];

export function BundlePanel({ name, onGone }: { name: string; onGone: () => void }) {
  const may = useMay();
  const { data, error, refetch } = api.useQuery("get", "/api/bundles/{name}", { params: { path: { name } } });
  if (error && !data) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={360} />;
  return (
    <Stack>
      <Facts
        facts={[
          ["Tools", `${data.tools.length}, ${data.published} published, ${exactCount(data.tokens)} tokens`],
          ["Documents", data.specs.join(", ") || "none"],
          ["Shown to", data.exposures.map((grant) => grant.role).join(", ") || "nobody by itself; roles that see all tools see it"],
          ["MCP", `/mcp/${data.name}`],
        ]}
      />
      <Anchor component={Link} to={`/connect?bundle=${data.name}`} size="sm">
        How to connect a client to this bundle
      </Anchor>
      {may("tools:write") && (
        <>
          <State bundle={data} onGone={onGone} />
          <Edit key={JSON.stringify([data.title, data.description, data.tools])} bundle={data} />
        </>
      )}
      {data.prompts.length > 0 && (
        <section>
          <Text fw={600}>Suggestions</Text>
          {data.prompts.map((prompt) => (
            <Text key={prompt.name} size="sm">
              {prompt.title}: {prompt.template}
            </Text>
          ))}
        </section>
      )}
    </Stack>
  );
}

function State({ bundle, onGone }: { bundle: Detail; onGone: () => void }) {
  const refresh = useRefresh("/api/bundles", "/api/tools");
  const onSuccess = async () => {
    await refresh();
  };
  const publish = api.useMutation("post", "/api/bundles/{name}/publish", { onSuccess });
  const withdraw = api.useMutation("post", "/api/bundles/{name}/withdraw", { onSuccess });
  const remove = api.useMutation("delete", "/api/bundles/{name}", {
    onSuccess: async () => {
      onGone();
      await refresh();
    },
  });
  const params = { path: { name: bundle.name } };
  const error = publish.error ?? withdraw.error ?? remove.error;
  return (
    <Stack gap="xs">
      {error && <ErrorNotice error={error} />}
      <Group>
        <Button disabled={bundle.published === bundle.tools.length} loading={publish.isPending} onClick={() => publish.mutate({ params })}>
          Publish all
        </Button>
        <Button
          variant="default"
          disabled={bundle.published === 0}
          loading={withdraw.isPending}
          onClick={() =>
            ask({
              title: `Withdraw ${bundle.name}?`,
              text: `${bundle.published} tools are offered to nobody from then on. Their versions stay and can be published again.`,
              confirm: "Withdraw",
              onConfirm: () => withdraw.mutate({ params }),
            })
          }
        >
          Withdraw all
        </Button>
        <Button
          variant="outline"
          color="danger"
          loading={remove.isPending}
          onClick={() =>
            ask({
              title: `Delete ${bundle.name}?`,
              text: "The bundle and its exposures end. Its tools stay; those of no other bundle are reached only by roles that see all tools.",
              confirm: "Delete the bundle",
              onConfirm: () => remove.mutate({ params: { ...params, query: { tools: "keep" } } }),
            })
          }
        >
          Delete
        </Button>
      </Group>
    </Stack>
  );
}

const CHOICES = 1_000;

function Edit({ bundle }: { bundle: Detail }) {
  const refresh = useRefresh("/api/bundles", "/api/tools");
  const [search, setSearch] = useState("");
  const found = api.useQuery("get", "/api/tools", { params: { query: { limit: 50, ...(search ? { q: search } : {}) } } });
  const initialValues = { title: bundle.title, description: bundle.description, tools: bundle.tools };
  const form = useForm({ initialValues });
  const save = api.useMutation("patch", "/api/bundles/{name}", {
    onSuccess: async ({ added, removed }) => {
      notifications.show({ message: `Saved. ${added.length} tools added, ${removed.length} taken out.` });
      await refresh();
    },
  });
  const names = [...new Set([...form.values.tools, ...(found.data?.items.map((tool) => tool.name) ?? [])])];
  const before = new Set(bundle.tools);
  const added = form.values.tools.filter((name) => !before.has(name));
  const removed = bundle.tools.filter((name) => !form.values.tools.includes(name));
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate({ params: { path: { name: bundle.name } }, body: changedOf(values, initialValues) }))}>
      <Stack gap="sm">
        <TextInput label="Title" {...form.getInputProps("title")} />
        <Textarea label="Description" autosize minRows={2} {...form.getInputProps("description")} />
        <MultiSelect
          label="Tools"
          description="Type to find others"
          searchable
          data={names.slice(0, CHOICES)}
          searchValue={search}
          onSearchChange={setSearch}
          {...form.getInputProps("tools")}
        />
        {(added.length > 0 || removed.length > 0) && (
          <Text size="sm" role="status">
            {added.length > 0 && `Whoever sees the bundle will see ${added.join(", ")}. `}
            {removed.length > 0 && `They will no longer see ${removed.join(", ")} by it.`}
          </Text>
        )}
        {save.error && <ErrorNotice error={save.error} />}
        <Group>
          <Button type="submit" variant="default" disabled={!form.isDirty()} loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
