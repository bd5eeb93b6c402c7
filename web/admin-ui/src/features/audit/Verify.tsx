import { Alert, Button, List, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { ErrorNotice, exactCount } from "@msil-mcp/ui";
import { IconShieldCheck, IconShieldX } from "@tabler/icons-react";

/** Reads the whole trail again and checks every link of its chains. */
export function Verify() {
  const [isOpen, { open, close }] = useDisclosure(false);
  const verify = api.useMutation("post", "/api/audit/verify");
  const found = verify.data;
  return (
    <>
      <Button
        variant="default"
        size="compact-md"
        leftSection={<IconShieldCheck size={16} aria-hidden />}
        onClick={() => {
          open();
          verify.mutate({});
        }}
      >
        Verify
      </Button>
      <Modal opened={isOpen} onClose={close} title="Verification of the trail" closeButtonProps={{ "aria-label": "Close" }}>
        <Stack aria-busy={verify.isPending}>
          {verify.isPending && <Text>Reading every record and checking its place in the chain…</Text>}
          {verify.error && <ErrorNotice error={verify.error} onRetry={() => verify.mutate({})} />}
          {found?.intact && (
            <Alert role="status" color="green" variant="light" icon={<IconShieldCheck aria-hidden />} title="The trail is intact">
              {exactCount(found.records)} records in {found.chains} chains and {found.anchors} anchors, checked in {found.seconds.toFixed(1)} s.
            </Alert>
          )}
          {found && !found.intact && (
            <Alert role="alert" color="red" variant="light" icon={<IconShieldX aria-hidden />} title="The trail was changed">
              <Text size="sm">
                {exactCount(found.problem_count)} problems among {exactCount(found.records)} records. Keep the database as it is and ask
                who could write to it.
              </Text>
              <List size="sm" mt="xs">
                {found.problems.map((problem, index) => (
                  <List.Item key={index}>
                    {problem.detail}
                    {problem.writer_id && ` (writer ${problem.writer_id}, record ${problem.sequence ?? "–"})`}
                  </List.Item>
                ))}
              </List>
            </Alert>
          )}
        </Stack>
      </Modal>
    </>
  );
}
