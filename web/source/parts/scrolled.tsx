import { ScrollArea } from "@mantine/core";
import type { ReactNode } from "react";

/** What may be wider than a small screen: it scrolls in itself, by keyboard, too. */
export function Scrolled({ name, children }: { name: string; children: ReactNode }) {
  return (
    <ScrollArea type="auto" offsetScrollbars="x" viewportProps={{ tabIndex: 0, role: "region", "aria-label": name }}>
      {children}
    </ScrollArea>
  );
}
