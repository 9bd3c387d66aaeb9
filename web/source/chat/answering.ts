/** One answer at a time: streamed into a draft, then written down, whole or cut. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { complete, type Sampling, type Turn } from "../api/completion";
import { append, type NewMessage } from "./chats";

export interface Draft {
  chat: string;
  text: string;
  reasoning: string;
}

export interface Asked {
  chat: string;
  model: string;
  turns: Turn[];
  sampling: Sampling;
}

export function useAnswering() {
  const queries = useQueryClient();
  const [draft, setDraft] = useState<Draft | null>(null);
  const [error, setError] = useState<{ chat: string; error: unknown } | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  async function answer({ chat, model, turns, sampling }: Asked): Promise<void> {
    const stop = new AbortController();
    running.current = stop;
    setError(null);
    const begun = performance.now();
    const since = () => (performance.now() - begun) / 1000;
    const said: Draft = { chat, text: "", reasoning: "" };
    setDraft({ ...said });
    const message: NewMessage = { role: "assistant", parts: [], model };
    let first: number | null = null;
    try {
      for await (const piece of complete(model, turns, sampling, stop.signal)) {
        if (piece.text || piece.reasoning) first ??= since();
        said.text += piece.text;
        said.reasoning += piece.reasoning;
        if (piece.finish !== null) message.finish_reason = piece.finish as NewMessage["finish_reason"];
        if (piece.usage !== null) {
          const { prompt_tokens, completion_tokens } = piece.usage;
          message.usage = { prompt_tokens, completion_tokens, cached_tokens: 0, drafted_tokens: 0, accepted_tokens: 0 };
        }
        setDraft({ ...said });
      }
    } catch (error) {
      message.finish_reason = stop.signal.aborted ? "cancelled" : "error";
      if (!stop.signal.aborted) setError({ chat, error });
    }
    if (said.reasoning) message.parts.push({ kind: "reasoning", text: said.reasoning });
    if (said.text) message.parts.push({ kind: "text", text: said.text });
    message.timing = { first_token_seconds: first, seconds: since() };
    try {
      if (message.parts.length > 0) await append(chat, [message]);
    } catch (error) {
      setError({ chat, error });
    }
    await queries.invalidateQueries({ queryKey: ["chat", chat] });
    void queries.invalidateQueries({ queryKey: ["chats"] });
    setDraft(null);
    running.current = null;
  }

  return { draft, error, setError, answer, stop: () => running.current?.abort() };
}
