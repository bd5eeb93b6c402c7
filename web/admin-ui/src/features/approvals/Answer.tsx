import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, limits } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { IconCheck, IconX } from "@tabler/icons-react";

import { restOf, rulesOf, showAtFields } from "../../shared/forms";
import { useIdentity, useMay } from "../../shared/identity";
import { useRefresh } from "../../shared/lists";
import { tell } from "../../shared/notice";
import type { Approval } from "./state";

const { reason } = rulesOf(limits.DecisionIn);

/** Approve or decline, with a reason if one wants to give it. */
export function Answer({ approval }: { approval: Approval }) {
  const { id, kind } = useIdentity();
  const may = useMay();
  const refresh = useRefresh("/api/approvals");
  const form = useForm({ initialValues: { reason: "" }, validate: { reason } });
  const decide = api.useMutation("post", "/api/approvals/{approval_id}/decision", {
    onSuccess: (answered) => {
      tell(answered.state === "approved" ? "Approved: the call may be made once." : "Declined.");
    },
    onError: (error) => showAtFields(form, error),
    onSettled: refresh,
  });
  const isOwn = approval.principal_id === id;
  if (!(isOwn ? kind === "user" : may("approvals:decide"))) {
    return (
      <Text size="sm" c="dimmed">
        You may look at this request, but not answer it: that takes the permission approvals:decide.
      </Text>
    );
  }
  const answer = (decision: "approve" | "decline") =>
    form.onSubmit((values) =>
      decide.mutate({
        params: { path: { approval_id: approval.id } },
        body: { decision, reason: values.reason.trim() || null },
      }),
    );
  const wanted = decide.isPending ? decide.variables.body.decision : undefined;
  const error = restOf(decide.error, ["reason"]);
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <Stack gap="sm">
        {isOwn && (
          <Text size="sm" c="dimmed">
            You asked for this yourself.
          </Text>
        )}
        <Textarea
          label="Reason"
          description="Kept with the answer. When you decline, the one who asked is told it."
          autosize
          minRows={2}
          {...form.getInputProps("reason")}
        />
        {error !== undefined && <ErrorNotice error={error} />}
        <Group>
          <Button
            leftSection={<IconCheck size={16} aria-hidden />}
            loading={wanted === "approve"}
            disabled={decide.isPending}
            onClick={() => answer("approve")()}
          >
            Approve this call
          </Button>
          <Button
            variant="outline"
            color="danger"
            leftSection={<IconX size={16} aria-hidden />}
            loading={wanted === "decline"}
            disabled={decide.isPending}
            onClick={() => answer("decline")()}
          >
            Decline
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
