/** Text of a model as Markdown. Raw HTML stays text, pictures are not fetched, links open only where a person follows them. */
import { Anchor, Code, Table, Text } from "@mantine/core";
import { memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { Copy } from "./copy";
import classes from "./markdown.module.css";

const COMPONENTS: Components = {
  a: ({ href, children }) =>
    href ? (
      <Anchor href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </Anchor>
    ) : (
      <span>{children}</span>
    ),
  img: ({ alt, src }) => (
    <Text span c="dimmed">
      [{alt || "picture"}: {String(src ?? "")}]
    </Text>
  ),
  pre: ({ node, children }) => {
    const code = node?.children[0];
    const first = code?.type === "element" ? code.children[0] : undefined;
    return (
      <div className={classes.block}>
        <Copy text={first?.type === "text" ? first.value : ""} label="Copy this code" className={classes.copy} />
        <pre tabIndex={0}>{children}</pre>
      </div>
    );
  },
  code: ({ className, children }) => (className ? <code className={className}>{children}</code> : <Code>{children}</Code>),
  table: ({ children }) => (
    <Table.ScrollContainer minWidth={300}>
      <Table>{children}</Table>
    </Table.ScrollContainer>
  ),
};
const PLUGINS = [remarkGfm];

export const Rendered = memo(function Rendered({ text }: { text: string }) {
  return (
    <div className={classes.text}>
      <Markdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
});
