/** Profiles as the page reads them. They are settings: one of your own is written to your file. */
import { useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";

export type Profile = Schemas["Profile"];
export const PROFILES = ["profiles"];
export const CAPABILITIES = ["text", "vision", "embeddings", "tools", "streaming", "thinking"];
const FALLBACKS_MAX = 16;

export function useProfiles() {
  return useQuery({ queryKey: PROFILES, queryFn: () => told(api.GET("/admin/profiles")) });
}

/** The names of those that a profile falls back on, one after the other, each once. */
export function fallbacks(profile: Profile, all: readonly Profile[]): string[] {
  const names: string[] = [];
  let next = profile.fallback_profile;
  while (next && next !== profile.name && !names.includes(next) && names.length < FALLBACKS_MAX) {
    names.push(next);
    next = all.find((each) => each.name === next)?.fallback_profile;
  }
  return names;
}

/** Let `auto` follow this one. */
export function makeUsual(name: string) {
  const params = { path: { key: "model.routing.default_profile" } };
  return told(api.PUT("/admin/config/{key}", { params, body: { value: name } }));
}
