import { Alert, Button, Code, Group, Modal, Stack, Text } from "@mantine/core";
import { CopyButton } from "@msil-mcp/ui";
import { IconEyeOff } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface Props {
  title: string;
  /** What the secret is called, as in "Copy the key". */
  name: string;
  /** Null keeps it closed. */
  secret: string | null;
  onClose: () => void;
  children?: ReactNode;
}

/** A secret that the server tells only now; it is not left by accident. */
export function ShownOnce({ title, name, secret, onClose, children }: Props) {
  return (
    <Modal
      opened={secret !== null}
      onClose={onClose}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack>
        <Alert icon={<IconEyeOff aria-hidden />} color="yellow" variant="light" title="This is shown only now">
          Copy it to where it will be used. Nobody, not even an administrator, can see it again.
        </Alert>
        <Group gap="xs" wrap="nowrap" align="center">
          <Code block flex={1} tabIndex={0} role="region" aria-label={`The ${name}`} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {secret}
          </Code>
          <CopyButton value={secret ?? ""} label={`Copy the ${name}`} size="md" />
        </Group>
        {children && <Text size="sm">{children}</Text>}
        <Group justify="flex-end">
          <Button onClick={onClose}>I have kept it</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
