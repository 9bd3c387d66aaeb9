/** Conversations as the server keeps them. */
import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { Failure } from "../api/failure";
import type { Content, Turn } from "../api/completion";
import { toldPart } from "./pictures";

export type SavedMessage = Schemas["SavedMessage"];
export type NewMessage = Schemas["MessageBody"];
export type Options = Schemas["ChatOptions"];
export type KeptChat = Schemas["Chat"] & { tag: string };
const PAGE = 100;
const LOOK_MS = 2_000;
const LIST_LOOK_MS = 5_000;

/** Pages of conversations, the latest first; with words, those that hold them. */
export function useHistory(words: string) {
  return useInfiniteQuery({
    queryKey: ["chats", words],
    placeholderData: keepPreviousData, // the list stays while words are typed
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam: before }) =>
      words === ""
        ? told(api.GET("/admin/chats", { params: { query: { limit: PAGE, before } } }))
        : told(api.POST("/admin/chats/search", { body: { search: words, limit: PAGE, before } })),
    getNextPageParam: (page) => page.next ?? undefined,
    // Another window may begin a chat. Who has scrolled far down is left alone.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : LIST_LOOK_MS),
  });
}

/** One conversation, asked for again and again while somebody looks, at the price of a tag while nothing has changed. */
export function useChat(id: string | undefined) {
  const queries = useQueryClient();
  const queryKey = ["chat", id];
  return useQuery({
    queryKey,
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.error === null ? LOOK_MS : LIST_LOOK_MS),
    queryFn: () => readChat(id!, queries.getQueryData<KeptChat>(queryKey)),
  });
}

async function readChat(id: string, known: KeptChat | undefined): Promise<KeptChat> {
  const header = known === undefined ? {} : { "if-none-match": known.tag };
  const params = { path: { chat_id: id }, header };
  const { data, response } = await api.GET("/admin/chats/{chat_id}", { params });
  if (response.status === 304 && known !== undefined) return known;
  if (data === undefined) throw new Failure("The server's answer was empty.", "", response.status);
  return { ...data, tag: response.headers.get("etag") ?? "" };
}

/** All that came out of the same beginning. `changed` is whatever makes it worth asking again. */
export function useBranches(id: string | undefined, changed: unknown) {
  return useQuery({
    queryKey: ["branches", id, changed],
    enabled: id !== undefined && changed !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async () =>
      (await told(api.GET("/admin/chats/{chat_id}/branches", { params: { path: { chat_id: id! } } }))).chats,
  });
}

export const createChat = (model: string) => told(api.POST("/admin/chats", { body: { model } }));

/** Write down what was said after `after` messages. Refused (409) when others have come meanwhile. */
export const append = (id: string, messages: NewMessage[], after: number) =>
  told(api.POST("/admin/chats/{chat_id}/messages", { params: { path: { chat_id: id } }, body: { messages, after } }));

export const branch = (id: string, at: number) =>
  told(api.POST("/admin/chats/{chat_id}/branch", { params: { path: { chat_id: id } }, body: { at } }));

export const rename = (id: string, title: string) =>
  told(api.PUT("/admin/chats/{chat_id}/title", { params: { path: { chat_id: id } }, body: { title } }));

export const setOptions = (id: string, options: Options, model?: string) =>
  told(api.PUT("/admin/chats/{chat_id}/options", { params: { path: { chat_id: id } }, body: { options, model } }));

export const remove = (id: string) =>
  told(api.DELETE("/admin/chats/{chat_id}", { params: { path: { chat_id: id } } }));

export function textOf(message: Pick<SavedMessage, "parts">, kind: "text" | "reasoning"): string {
  return message.parts.flatMap((part) => (part.kind === kind ? [part.text ?? ""] : [])).join("");
}

/** The system prompt that holds: the one that was given last. */
export function systemPrompt(messages: SavedMessage[]): string {
  const given = messages.findLast((message) => message.role === "system");
  return given ? textOf(given, "text") : "";
}

/**
 * What a model is told of a conversation: what was said, not what was thought. Questions that got no answer are left out,
 * but for the last one: many templates want question and answer to alternate.
 */
export function turns(messages: SavedMessage[]): Turn[] {
  const asked: SavedMessage[][] = [[]];
  for (const message of messages) {
    if (message.role === "system") continue;
    if (message.role === "user") asked.push([]);
    asked.at(-1)!.push(message);
  }
  const told = asked.filter((turn, index) => {
    const last = turn.at(-1);
    return index === asked.length - 1 || index === 0 || (last?.role === "assistant" && last.finish_reason !== "error");
  });
  const system = systemPrompt(messages);
  const opening: Turn[] = system ? [{ role: "system", content: system }] : [];
  return [...opening, ...told.flat().map(turnOf).filter((turn) => turn.content !== "" || turn.tool_calls !== undefined)];
}

function turnOf(message: SavedMessage): Turn {
  const turn: Turn = { role: message.role, content: contentOf(message) };
  const calls = message.parts.flatMap((part) => (part.call ? [part.call] : []));
  if (calls.length > 0) {
    turn.tool_calls = calls.map(({ id, name, arguments: words }) => ({
      id,
      type: "function",
      function: { name, arguments: words },
    }));
  }
  const result = message.parts.find((part) => part.kind === "tool_result");
  if (result) {
    turn.content = result.text ?? "";
    turn.tool_call_id = result.call_id ?? "";
  }
  return turn;
}

function contentOf(message: SavedMessage): Content {
  if (message.role !== "user" || !message.parts.some((part) => part.kind === "image")) return textOf(message, "text");
  return message.parts.map((part) =>
    part.kind === "image"
      ? { type: "image_url", image_url: { url: toldPart(part) } }
      : { type: "text", text: part.text ?? "" },
  );
}
