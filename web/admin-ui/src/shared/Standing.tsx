import { Badge } from "@mantine/core";

interface Props {
  /** The kind of news: good, waiting, bad, or of no consequence any more. */
  tone: "good" | "waiting" | "bad" | "over" | "plain";
  children: string;
}

const COLORS = { good: "teal", waiting: "orange", bad: "danger", over: "gray", plain: "brand" } as const;

/** How a thing stands, in a word; the colour only underlines it. */
export function Standing({ tone, children }: Props) {
  return (
    <Badge variant="dot" color={COLORS[tone]} size="lg" fw={500} tt="none" flex="none" miw="max-content">
      {children}
    </Badge>
  );
}
