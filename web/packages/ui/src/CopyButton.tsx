import { ActionIcon, CopyButton as MantineCopyButton, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

import { useWords } from "./words";

interface Props {
  value: string;
  label?: string;
  size?: "xs" | "sm" | "md";
}

export function CopyButton({ value, label, size = "sm" }: Props) {
  const words = useWords();
  return (
    <MantineCopyButton value={value} timeout={1500}>
      {({ copied: isDone, copy }) => {
        const name = isDone ? words.copied : (label ?? words.copy("").trim());
        return (
          <Tooltip label={name}>
            <ActionIcon variant="subtle" color="gray" size={size} onClick={copy} aria-label={name}>
              {isDone ? <IconCheck size="70%" aria-hidden /> : <IconCopy size="70%" aria-hidden />}
            </ActionIcon>
          </Tooltip>
        );
      }}
    </MantineCopyButton>
  );
}
