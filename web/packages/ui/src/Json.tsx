import { Box, Code } from "@mantine/core";

import { CopyButton } from "./CopyButton";
import { useWords } from "./words";

/** A value as indented JSON; always text, whatever it holds. */
export function Json({ value, label, maxHeight = 320 }: { value: unknown; label: string; maxHeight?: number }) {
  const words = useWords();
  // Nothing at all is no JSON.
  const text = JSON.stringify(value ?? null, null, 2);
  return (
    <Box pos="relative">
      <Box pos="absolute" top={4} right={4}>
        <CopyButton value={text} label={words.copy(label)} />
      </Box>
      <Code block tabIndex={0} role="region" aria-label={label} mah={maxHeight} style={{ overflow: "auto" }}>
        {text}
      </Code>
    </Box>
  );
}
