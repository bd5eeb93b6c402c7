import { Alert, Anchor, Badge, Button, Group, Stack, Text, Title } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice, Json } from "@msil-mcp/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { ToolDetail } from "./marks";
import { argumentsOf, type Schema, SchemaForm, type Typed } from "./SchemaForm";

type Outcome = components["schemas"]["CallOut"];

/** A real call through every rule, as the person signed in. */
export function TryIt({ tool }: { tool: ToolDetail }) {
  const schema = tool.input_schema as Schema;
  const [values, setValues] = useState<Typed>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const call = api.useMutation("post", "/api/tools/{name}/call");
  const send = (approval?: string) => {
    const typed = argumentsOf(schema, values);
    setErrors(typed.errors);
    if (Object.keys(typed.errors).length > 0) return;
    call.mutate({
      params: { path: { name: tool.name } },
      body: { arguments: typed.arguments, ...(approval ? { approval_id: approval } : {}) },
    });
  };
  const approval = call.data?.confirmation?.approval_id;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Stack>
        <Text size="sm" c="dimmed">
          This is a real call, made as you: it is authorised, limited, confirmed and recorded like any other.
        </Text>
        {tool.published_version === null && (
          <Alert color="yellow" variant="light">
            The tool is not published, so nobody can call it yet.
          </Alert>
        )}
        <SchemaForm schema={schema} values={values} errors={errors} onChange={setValues} />
        <Group>
          <Button type="submit" loading={call.isPending}>
            Call {tool.name}
          </Button>
          {approval && (
            <Button variant="default" loading={call.isPending} onClick={() => send(approval)}>
              Call again, once it is approved
            </Button>
          )}
        </Group>
        {call.error && <ErrorNotice error={call.error} />}
        {call.data && <Answer outcome={call.data} />}
      </Stack>
    </form>
  );
}

const COLOURS: Record<Outcome["outcome"], string> = {
  succeeded: "green",
  failed: "red",
  denied: "yellow",
  needs_confirmation: "grape",
  unknown: "gray",
};

function Answer({ outcome }: { outcome: Outcome }) {
  return (
    <section aria-live="polite">
      <Group gap="xs" mb="xs">
        <Title order={3} size="h5">
          Answer
        </Title>
        <Badge variant="light" tt="none" color={COLOURS[outcome.outcome]}>
          {outcome.outcome.replaceAll("_", " ")}
        </Badge>
        {outcome.upstream_status != null && <Text size="sm">HTTP {outcome.upstream_status}</Text>}
        {outcome.replayed && <Text size="sm">the stored result of an earlier call</Text>}
      </Group>
      {outcome.confirmation && (
        <Alert color="grape" variant="light" mb="xs">
          {outcome.confirmation.sentence} A person has to agree in{" "}
          <Anchor component={Link} to={`/approvals/${outcome.confirmation.approval_id}`}>
            Approvals
          </Anchor>
          ; then call again.
        </Alert>
      )}
      <Json value={outcome.structured ?? outcome.text} label="answer" />
      {outcome.truncated && (
        <Text size="xs" c="dimmed">
          The answer was cut to what a model is given.
        </Text>
      )}
    </section>
  );
}
