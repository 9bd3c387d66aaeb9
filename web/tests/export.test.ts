import { expect, test } from "vitest";
import type { Schemas } from "../source/api/client";
import { fileName, jsonOf, markdownOf } from "../source/chat/export";

const at = "2026-03-01T00:00:00Z";
const chat: Schemas["Chat"] = {
  id: "1",
  title: "Horses",
  model: "pony",
  length: 3,
  size_bytes: 1,
  branched_from: null,
  options: {},
  created_at: at,
  updated_at: at,
  messages: [
    {
      role: "user",
      position: 0,
      created_at: at,
      parts: [
        { kind: "image", media_type: "image/png", data: "aGk=" },
        { kind: "text", text: "What is `this`?" },
      ],
    },
    {
      role: "assistant",
      model: "pony",
      position: 1,
      created_at: at,
      finish_reason: "cancelled",
      parts: [
        { kind: "reasoning", text: "Hm.\nWell." },
        { kind: "tool_call", call: { id: "c", name: "look", arguments: '{"a": "```"}' } },
      ],
    },
    { role: "tool", position: 2, created_at: at, parts: [{ kind: "tool_result", call_id: "c", text: "a horse" }] },
  ],
};

test("a chat as Markdown says who said what, with thoughts and tools in place", () => {
  expect(markdownOf(chat)).toBe(`# Horses

With pony, 2026-03-01.

## You

[a picture, image/png]
What is \`this\`?

## pony

> Hm.
> Well.

Calls \`look\`:

\`\`\`\`
{"a": "\`\`\`"}
\`\`\`\`

*stopped*

## Tool

\`\`\`
a horse
\`\`\`
`);
});

test("a chat as JSON is what the server keeps of it", () => {
  expect(JSON.parse(jsonOf(chat))).toEqual(chat);
});

test("a file's name is one that every system takes", () => {
  expect(fileName("../../etc/<b>: Größe?", "md")).toBe("etc-b-Gro-ße.md");
  expect(fileName("…", "json")).toBe("chat.json");
  expect(fileName("a".repeat(300), "md")).toHaveLength(63);
});
