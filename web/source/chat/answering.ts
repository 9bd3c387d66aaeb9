/** One answer at a time: streamed into a draft, then written down, whole or cut. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { complete, type CallPiece, type Sampling, type Turn } from "../api/completion";
import { asFailure } from "../api/failure";
import { append, branch, type NewMessage } from "./chats";

export interface Draft {
  chat: string;
  text: string;
  reasoning: string;
  calls: DraftCall[];
}

export interface DraftCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Asked {
  chat: string;
  after: number; // messages that the answer comes after
  model: string;
  turns: Turn[];
  sampling: Sampling;
}

/** `moved` hears where an answer went whose conversation has gone on elsewhere. */
export function useAnswering(moved: (chat: string) => void) {
  const queries = useQueryClient();
  const [draft, setDraft] = useState<Draft | null>(null);
  const [error, setError] = useState<{ chat: string; error: unknown } | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  async function answer({ chat, after, model, turns, sampling }: Asked): Promise<void> {
    const stop = new AbortController();
    running.current = stop;
    setError(null);
    const begun = performance.now();
    const since = () => (performance.now() - begun) / 1000;
    const said: Draft = { chat, text: "", reasoning: "", calls: [] };
    setDraft({ ...said });
    const message: NewMessage = { role: "assistant", parts: [], model };
    let first: number | null = null;
    try {
      for await (const piece of complete(model, turns, sampling, stop.signal)) {
        if (piece.text || piece.reasoning || piece.calls.length > 0) first ??= since();
        said.text += piece.text;
        said.reasoning += piece.reasoning;
        said.calls = withPieces(said.calls, piece.calls);
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
    for (const call of said.calls) message.parts.push({ kind: "tool_call", call });
    message.timing = { first_token_seconds: first, seconds: since() };
    let kept = chat;
    try {
      if (message.parts.length > 0) kept = await keep(chat, message, after);
    } catch (error) {
      setError({ chat, error });
    }
    await queries.invalidateQueries({ queryKey: ["chat", kept] });
    void queries.invalidateQueries({ queryKey: ["chats"] });
    setDraft(null);
    running.current = null;
    if (kept !== chat) moved(kept);
  }

  return { draft, error, setError, answer, stop: () => running.current?.abort() };
}

/** Write an answer below its question; when something else stands there by now, into a branch. Where it is. */
async function keep(chat: string, message: NewMessage, after: number): Promise<string> {
  try {
    await append(chat, [message], after);
    return chat;
  } catch (error) {
    if (asFailure(error).status !== 409) throw error;
    const { id } = await branch(chat, after - 1);
    await append(id, [message], after);
    return id;
  }
}

/** Calls as far as they have come. */
export function withPieces(calls: DraftCall[], pieces: CallPiece[]): DraftCall[] {
  const grown = calls.map((call) => ({ ...call }));
  for (const { index, id, function: piece } of pieces) {
    const call = (grown[index] ??= { id: "", name: "", arguments: "" });
    call.id ||= id ?? "";
    call.name += piece?.name ?? "";
    call.arguments += piece?.arguments ?? "";
  }
  return grown;
}
