/** One streamed answer of `/v1/chat/completions`. */
import { ask } from "./client";
import { eventsOf } from "./events";
import { failureOf } from "./failure";

export interface Sampling {
  temperature: number;
  top_p: number;
  max_tokens: number;
}

export type Content = string | ({ type: "text"; text: string } | { type: "image_url"; image_url: { url: string } })[];

export interface Call {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface Turn {
  role: string;
  content: Content;
  tool_calls?: Call[];
  tool_call_id?: string;
}

/** A piece of a tool call; pieces with one `index` belong together. */
export interface CallPiece {
  index: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

export interface Piece {
  text: string;
  reasoning: string;
  calls: CallPiece[];
  finish: string | null;
  usage: { prompt_tokens: number; completion_tokens: number } | null;
}

interface Chunk {
  choices?: {
    delta: { content?: string | null; reasoning_content?: string | null; tool_calls?: CallPiece[] | null };
    finish_reason: string | null;
  }[];
  usage?: Piece["usage"];
  error?: unknown;
}

/** Pieces as they come. Raises a Failure when the answer breaks off; aborting `signal` ends it at the server, too. */
export async function* complete(
  model: string,
  messages: Turn[],
  sampling: Sampling,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const body = { model, messages, ...sampling, stream: true, stream_options: { include_usage: true } };
  const response = await ask("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  for await (const event of eventsOf(response)) {
    if (event.data === "[DONE]") return;
    const chunk = JSON.parse(event.data) as Chunk;
    if (chunk.error !== undefined) throw failureOf(chunk, response.status);
    const choice = chunk.choices?.[0];
    yield {
      text: choice?.delta.content ?? "",
      reasoning: choice?.delta.reasoning_content ?? "",
      calls: choice?.delta.tool_calls ?? [],
      finish: choice?.finish_reason ?? null,
      usage: chunk.usage ?? null,
    };
  }
}
