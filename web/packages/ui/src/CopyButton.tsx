import { ActionIcon, CopyButton as MantineCopyButton, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

interface Props {
  value: string;
  label?: string;
  copied?: string;
  size?: "xs" | "sm" | "md";
}

export function CopyButton({ value, label = "Copy", copied = "Copied", size = "sm" }: Props) {
  return (
    <MantineCopyButton value={value} timeout={1500}>
      {({ copied: done, copy }) => (
        <Tooltip label={done ? copied : label}>
          <ActionIcon variant="subtle" color="gray" size={size} onClick={copy} aria-label={done ? copied : label}>
            {done ? <IconCheck size="70%" aria-hidden /> : <IconCopy size="70%" aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
    </MantineCopyButton>
  );
}
