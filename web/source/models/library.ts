/** The models on this machine's disk and those on their way, as several pages ask for them. */
import { useQuery } from "@tanstack/react-query";
import { api, ask, told, type Schemas } from "../api/client";
import { eventsOf } from "../api/events";
import { failureOf } from "../api/failure";

export type Model = Schemas["ModelInfo"];

export function useModels() {
  return useQuery({
    queryKey: ["models"],
    queryFn: async () => (await told(api.GET("/admin/library/models"))).models,
  });
}

export function usePulls() {
  return useQuery({
    queryKey: ["pulls"],
    queryFn: async () => (await told(api.GET("/admin/pulls"))).pulls,
    refetchInterval: 5000,
  });
}

/** What changes when models come or go. */
export const DISK = [["models"], ["usage"]];

export interface FileCheck {
  path: string;
  outcome: "ok" | "corrupt" | "missing" | "unreadable" | "size_only";
  problem: string | null;
}

/** Read every byte of a model again. Files as they are checked; what was bad before a repair is told again after it. */
export async function* verify(name: string, repair: boolean, signal: AbortSignal): AsyncGenerator<FileCheck> {
  const response = await ask("/admin/library/verify", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ names: [name], repair }),
    signal,
  });
  for await (const event of eventsOf(response)) {
    if (event.name === "file") yield (JSON.parse(event.data) as { check: FileCheck }).check;
    if (event.name === "problem") throw failureOf(JSON.parse(event.data), response.status);
  }
}
