import { Button, Group, Modal, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, type components } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";

import { restOf, showAtFields } from "../../shared/forms";
import { useRefresh } from "../../shared/lists";
import { bodyOf, FIELDS, RULES, type Values, WebhookFields } from "./WebhookFields";

interface Props {
  isOpen: boolean;
  onClose: () => void;
  onAdded: (made: components["schemas"]["FreshWebhook"]) => void;
}

export function AddWebhook({ isOpen, onClose, onAdded }: Props) {
  return (
    <Modal opened={isOpen} onClose={onClose} title="Add a webhook" closeButtonProps={{ "aria-label": "Close" }}>
      <Fields onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function Fields({ onClose, onAdded }: Omit<Props, "isOpen">) {
  const refresh = useRefresh("/api/webhooks");
  const form = useForm<Values>({
    initialValues: { url: "", description: "", event_types: [], allow_private: false },
    validate: RULES,
  });
  const add = api.useMutation("post", "/api/webhooks", {
    onSuccess: async (made) => {
      await refresh();
      onAdded(made);
    },
    onError: (error) => showAtFields(form, error),
  });
  const error = restOf(add.error, FIELDS);
  return (
    <form onSubmit={form.onSubmit((values) => add.mutate({ body: bodyOf(values) }))}>
      <Stack gap="sm">
        <WebhookFields form={form} />
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
