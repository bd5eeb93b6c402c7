import { Anchor, Table } from "@mantine/core";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";

import classes from "./Message.module.css";

const SCHEMA = {
  ...defaultSchema,
  // A picture would ask somebody else's server; its description stays.
  tagNames: defaultSchema.tagNames?.filter((name) => name !== "img"),
  protocols: { ...defaultSchema.protocols, href: ["http", "https", "mailto", "tel"] },
};

interface Node {
  type: string;
  children?: Node[];
}

/** Markup in what was written is shown as the characters it is. */
function markupAsText() {
  return (tree: Node): void => {
    const pending = [tree];
    for (let node = pending.pop(); node; node = pending.pop()) {
      if (node.type === "raw") node.type = "text";
      pending.push(...(node.children ?? []));
    }
  };
}

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <Anchor href={href ?? ""} target="_blank" rel="noopener noreferrer nofollow" underline="always">
      {children}
    </Anchor>
  ),
  table: ({ children }) => (
    <Table.ScrollContainer minWidth={0} tabIndex={0}>
      <Table withTableBorder>{children}</Table>
    </Table.ScrollContainer>
  ),
};

/** What a model wrote: formatted, never as markup of the page. */
export default function Markdown({ text }: { text: string }) {
  return (
    <div className={classes["markdown"]}>
      <ReactMarkdown remarkPlugins={[remarkGfm]} rehypePlugins={[markupAsText, [rehypeSanitize, SCHEMA]]} components={COMPONENTS}>
        {text}
      </ReactMarkdown>
    </div>
  );
}
