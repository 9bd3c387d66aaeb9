import { expect, test } from "vitest";
import { turns, type SavedMessage } from "../source/chat/chats";
import { figures } from "../source/chat/figures";

function saved(role: SavedMessage["role"], parts: SavedMessage["parts"]): SavedMessage {
  return { role, parts, position: 0, created_at: "2026-01-01T00:00:00Z" };
}

test("a model is told what was said and not what was thought", () => {
  const told = turns([
    saved("user", [{ kind: "text", text: "Hi" }]),
    saved("assistant", [
      { kind: "reasoning", text: "Hm" },
      { kind: "text", text: "Hello" },
    ]),
  ]);
  expect(told).toEqual([
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
  ]);
});

test("an answer's speed is counted from its first token on", () => {
  const usage = { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 21, drafted_tokens: 0, accepted_tokens: 0 };
  const timing = { first_token_seconds: 0.5, seconds: 2.5 };
  expect(figures({ timing, usage, finish_reason: "length" })).toBe(
    "21 tokens · 10.0 tokens/s · first token after 0.5 s · cut at the limit of tokens",
  );
  expect(figures({ timing: { seconds: 1 }, usage: null, finish_reason: "cancelled" })).toBe("stopped");
});
