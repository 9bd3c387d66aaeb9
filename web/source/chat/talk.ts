/** What one does in a conversation: say something, say it otherwise, ask for another answer, change how answers are asked for. */
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { useLocation } from "wouter";
import type { Schemas } from "../api/client";
import type { Sampling } from "../api/completion";
import type { Model } from "../models/library";
import { useAnswering } from "./answering";
import {
  append,
  branch,
  createChat,
  setOptions,
  turns,
  type KeptChat,
  type NewMessage,
  type SavedMessage,
} from "./chats";
import { useDefaults } from "./options";
import type { Picture } from "./pictures";

const SAVE_MS = 400; // after the last change of an option

export function useTalk(id: string | undefined, chat: KeptChat | undefined, models: Model[]) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [defaults, setDefaults] = useDefaults();
  const [chosen, setChosen] = useState<{ chat: string | undefined; model: string } | null>(null);
  const [changed, setChanged] = useState<{ chat: string; sampling: Sampling } | null>(null);
  const saving = useRef<number | undefined>(undefined);
  const { draft, error, setError, answer, stop } = useAnswering((moved) => go(`/chat/${moved}`));

  const able = models.filter((model) => model.capabilities.text);
  const usual = able.find((model) => model.name === "pony") ?? able[0];
  const model = chosen !== null && chosen.chat === id ? chosen.model : (chat?.model ?? usual?.name ?? "");
  const kept = { ...samplingOf(defaults), ...given(chat?.options) };
  const sampling = changed !== null && changed.chat === id ? changed.sampling : kept;

  /** Does `work`; false, with what went wrong shown, when it fails. Then others may have written: look again. */
  async function tried(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (failure) {
      setError({ chat: id ?? "", error: failure });
      if (id !== undefined) void queries.invalidateQueries({ queryKey: ["chat", id] });
      return false;
    }
  }

  async function ask(chatId: string, before: SavedMessage[], said: NewMessage[]): Promise<void> {
    const { messages: saved } = await append(chatId, said, before.length);
    await queries.invalidateQueries({ queryKey: ["chat", chatId] });
    void queries.invalidateQueries({ queryKey: ["chats"] });
    if (chatId !== id) {
      setChosen({ chat: chatId, model });
      go(`/chat/${chatId}`);
    }
    const all = [...before, ...saved];
    void answer({ chat: chatId, after: all.length, model, turns: turns(all), sampling });
  }

  async function begin(): Promise<string> {
    const { id: begun } = await createChat(model);
    await setOptions(begun, sampling);
    return begun;
  }

  const send = (text: string, pictures: Picture[]) =>
    tried(async () => {
      const said: NewMessage[] = [{ role: "user", parts: partsOf(text, pictures) }];
      const system = defaults.system.trim();
      if (id === undefined && system !== "") said.unshift(systemMessage(system));
      await ask(id ?? (await begin()), chat?.messages ?? [], said);
    });

  /** The same question in other words, with its pictures, in a branch: what was said first is kept where it was. */
  const editing = (message: SavedMessage, text: string) =>
    tried(async () => {
      const pictures = message.parts.filter((part) => part.kind === "image");
      const branched = await branch(id!, message.position - 1);
      await ask(branched.id, branched.messages, [{ role: "user", parts: [...pictures, { kind: "text", text }] }]);
    });
  const latest = useRef(editing);
  latest.current = editing;
  const edit = useCallback((message: SavedMessage, text: string) => latest.current(message, text), []);

  /** Another answer to the last question, in a branch: the first one is kept where it was. */
  const regenerate = () =>
    tried(async () => {
      const asked = chat?.messages.findLast((message) => message.role === "user");
      if (chat === undefined || asked === undefined) return;
      const branched = chat.messages.at(-1)?.role === "assistant" ? await branch(chat.id, asked.position) : chat;
      if (branched.id !== chat.id) go(`/chat/${branched.id}`);
      void queries.invalidateQueries({ queryKey: ["chats"] });
      setChosen({ chat: branched.id, model });
      const { messages } = branched;
      await answer({ chat: branched.id, after: messages.length, model, turns: turns(messages), sampling });
    });

  function keepOptions(next: Sampling, of?: string) {
    clearTimeout(saving.current);
    if (id === undefined) return;
    saving.current = window.setTimeout(() => {
      void tried(async () => {
        await setOptions(id, next, of);
        await queries.invalidateQueries({ queryKey: ["chat", id] });
        setChanged(null);
      });
    }, SAVE_MS);
  }

  function choose(name: string) {
    setChosen({ chat: id, model: name });
    keepOptions(sampling, name);
  }

  function setSampling(next: Sampling) {
    setDefaults({ ...defaults, ...next });
    if (id === undefined) return;
    setChanged({ chat: id, sampling: next });
    keepOptions(next, model);
  }

  const saySystem = (system: string) => {
    if (id === undefined) {
      setDefaults({ ...defaults, system });
      return Promise.resolve(true);
    }
    return tried(async () => {
      await append(id, [systemMessage(system)], chat?.messages.length ?? 0);
      await queries.invalidateQueries({ queryKey: ["chat", id] });
    });
  };

  return {
    able,
    model,
    choose,
    sampling,
    setSampling,
    firstSystem: defaults.system,
    saySystem,
    draft,
    error,
    stop,
    send,
    edit,
    regenerate,
  };
}

function systemMessage(text: string): NewMessage {
  return { role: "system", parts: [{ kind: "text", text }] };
}

function partsOf(text: string, pictures: Picture[]): NewMessage["parts"] {
  const images = pictures.map(({ type, data }) => ({ kind: "image" as const, media_type: type, data }));
  return text === "" ? images : [...images, { kind: "text" as const, text }];
}

function samplingOf({ temperature, top_p, max_tokens }: Sampling): Sampling {
  return { temperature, top_p, max_tokens };
}

/** Those options that a chat has. */
function given(options: Schemas["ChatOptions"] | undefined): Partial<Sampling> {
  const own: Partial<Sampling> = {};
  if (typeof options?.temperature === "number") own.temperature = options.temperature;
  if (typeof options?.top_p === "number") own.top_p = options.top_p;
  if (typeof options?.max_tokens === "number") own.max_tokens = options.max_tokens;
  return own;
}
