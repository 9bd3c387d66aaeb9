/** Conversations as the server keeps them. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import type { Turn } from "../api/completion";

export type SavedMessage = Schemas["SavedMessage"];
export type NewMessage = Schemas["MessageBody"];
const PAGE = 50;

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
  });
}

export function useChat(id: string | undefined) {
  return useQuery({
    queryKey: ["chat", id],
    enabled: id !== undefined,
    queryFn: () => told(api.GET("/admin/chats/{chat_id}", { params: { path: { chat_id: id! } } })),
  });
}

export const createChat = (model: string) => told(api.POST("/admin/chats", { body: { model } }));

export const append = (id: string, messages: NewMessage[]) =>
  told(api.POST("/admin/chats/{chat_id}/messages", { params: { path: { chat_id: id } }, body: { messages } }));

export const branch = (id: string, at: number) =>
  told(api.POST("/admin/chats/{chat_id}/branch", { params: { path: { chat_id: id } }, body: { at } }));

export const rename = (id: string, title: string) =>
  told(api.PUT("/admin/chats/{chat_id}/title", { params: { path: { chat_id: id } }, body: { title } }));

export const remove = (id: string) =>
  told(api.DELETE("/admin/chats/{chat_id}", { params: { path: { chat_id: id } } }));

export function textOf(message: Pick<SavedMessage, "parts">, kind: "text" | "reasoning"): string {
  return message.parts.flatMap((part) => (part.kind === kind ? [part.text ?? ""] : [])).join("");
}

/** What a model is told of a conversation: what was said, not what was thought. */
export function turns(messages: SavedMessage[]): Turn[] {
  return messages
    .map((message) => ({ role: message.role as string, content: textOf(message, "text") }))
    .filter((turn) => turn.content !== "");
}
