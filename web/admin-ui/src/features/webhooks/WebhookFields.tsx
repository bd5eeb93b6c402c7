import { Checkbox, MultiSelect, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { api, limits } from "@msil-mcp/api";

import { rulesOf } from "../../shared/forms";
import { useIdentity } from "../../shared/identity";

export interface Values {
  url: string;
  description: string;
  event_types: string[];
  allow_private: boolean;
}

type EventType = (typeof limits.WebhookBody.event_types.items.values)[number];

const { url, description, event_types } = rulesOf(limits.WebhookBody);
export const RULES = { url, description, event_types };
export const FIELDS: readonly (keyof Values)[] = ["url", "description", "event_types", "allow_private"];

/** As the API takes it: the choices come from the API itself. */
export function bodyOf(values: Values) {
  return { ...values, event_types: values.event_types as EventType[] };
}

export function WebhookFields({ form }: { form: UseFormReturnType<Values> }) {
  const { roles } = useIdentity();
  const types = api.useQuery("get", "/api/webhooks/event-types", {}, { staleTime: Infinity });
  return (
    <>
      <TextInput label="URL" description="Events are posted there" withAsterisk type="url" data-autofocus {...form.getInputProps("url")} />
      <TextInput label="For" description="What it is for, and whose it is" {...form.getInputProps("description")} />
      <MultiSelect
        label="Events"
        withAsterisk
        searchable
        hidePickedOptions
        data={types.data ?? []}
        {...form.getInputProps("event_types")}
        error={form.errors["event_types"] ?? (types.error ? "The kinds of events could not be read." : undefined)}
      />
      <Checkbox
        label="The receiver is in our own network"
        description="Allows private addresses and plain HTTP; for administrators."
        disabled={!roles.includes("administrator")}
        {...form.getInputProps("allow_private", { type: "checkbox" })}
      />
    </>
  );
}
