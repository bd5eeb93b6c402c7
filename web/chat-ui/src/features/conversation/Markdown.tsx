import { Anchor, Table } from "@mantine/core";
import ReactMarkdown, { type Components, defaultUrlTransform } from "react-markdown";
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
  // An address that is not kept leads nowhere, so it is no link; any other is shown before it is followed.
  a: ({ href, children }) =>
    href ? (
      <Anchor href={href} title={href} target="_blank" rel="noopener noreferrer nofollow" underline="always">
        {children}
      </Anchor>
    ) : (
      <span>{children}</span>
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
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        rehypePlugins={[markupAsText, [rehypeSanitize, SCHEMA]]}
        urlTransform={(url) => (url.startsWith("tel:") ? url : defaultUrlTransform(url))}
        components={COMPONENTS}
      >
        {text}
      </ReactMarkdown>
    </div>
  );
}
