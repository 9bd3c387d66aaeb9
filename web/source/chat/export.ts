/** A conversation as a file. */
import type { Schemas } from "../api/client";
import { figures } from "./figures";
import { textOf } from "./chats";

type Chat = Schemas["Chat"];
const WHO: Record<string, string> = { user: "You", system: "System prompt", tool: "Tool" };

/** As Markdown that people read. What was said stays as it was written. */
export function markdownOf(chat: Chat): string {
  const lines = [`# ${chat.title || "Untitled"}`, "", `With ${chat.model}, ${chat.created_at.slice(0, 10)}.`];
  for (const message of chat.messages) {
    lines.push("", `## ${message.role === "assistant" ? (message.model ?? "Assistant") : (WHO[message.role] ?? message.role)}`, "");
    const thought = textOf(message, "reasoning");
    if (thought) lines.push(...thought.split("\n").map((line) => `> ${line}`), "");
    for (const part of message.parts) {
      if (part.kind === "text") lines.push(part.text ?? "");
      if (part.kind === "image") lines.push(`[a picture, ${part.media_type}]`);
      if (part.kind === "tool_call") lines.push(`Calls \`${part.call?.name}\`:`, "", ...fenced(part.call?.arguments ?? ""));
      if (part.kind === "tool_result") lines.push(...fenced(part.text ?? ""));
    }
    const told = message.role === "assistant" ? figures(message) : "";
    if (told) lines.push("", `*${told}*`);
  }
  return `${lines.join("\n")}\n`;
}

export function jsonOf(chat: Chat): string {
  return `${JSON.stringify(chat, null, 2)}\n`;
}

/** A name that every file system takes. */
export function fileName(title: string, ending: string): string {
  const plain = title.normalize("NFKD").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return `${plain || "chat"}.${ending}`;
}

export function save(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A fence longer than any within. */
function fenced(text: string): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return [fence, text, fence];
}
