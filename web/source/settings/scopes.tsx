import { Checkbox, Group } from "@mantine/core";
import type { Schemas } from "../api/client";

export type Scope = Schemas["Scope"];

const SCOPES: Record<Scope, string> = {
  chat: "Chat: ask models for text",
  embeddings: "Embeddings: vectors and scores",
  library: "Library: fetch, load and remove models",
  admin: "Admin: everything else, this page included",
};
export const SPEAKING: Scope[] = ["chat", "embeddings"];

/** What somebody may do. One at least: without any they could do nothing. */
export function Scopes({ value, onChange }: { value: Scope[]; onChange: (scopes: Scope[]) => void }) {
  return (
    <Checkbox.Group label="May" value={value} onChange={(scopes) => onChange(scopes as Scope[])}>
      <Group gap="sm" mt={4}>
        {Object.entries(SCOPES).map(([scope, label]) => (
          <Checkbox key={scope} value={scope} label={label} size="sm" />
        ))}
      </Group>
    </Checkbox.Group>
  );
}
