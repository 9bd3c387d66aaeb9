import { Code } from "@mantine/core";
import { Fragment } from "react";

/** A sentence of the server's; what stands between backticks is set as code. */
export function Ticked({ text }: { text: string }) {
  return text.split("`").map((piece, index) =>
    index % 2 === 1 ? (
      <Code key={index} style={{ overflowWrap: "anywhere" }}>
        {piece}
      </Code>
    ) : (
      <Fragment key={index}>{piece}</Fragment>
    ),
  );
}
