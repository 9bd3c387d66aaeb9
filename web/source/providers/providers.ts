/** Providers as the page reads and writes them. Their keys go one way: no answer holds one. */
import { useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";

export type Provider = Schemas["ProviderLine"];
export type Kind = Provider["kind"];
export const PROVIDERS = ["providers"];
const LOOK_MS = 3_000;

export const KINDS: { value: Kind; label: string; usual: string }[] = [
  { value: "openai", label: "OpenAI, or a server that speaks like it", usual: "https://api.openai.com/v1" },
  { value: "anthropic", label: "Anthropic", usual: "https://api.anthropic.com" },
  { value: "ollama", label: "Ollama", usual: "http://127.0.0.1:11434" },
];

export function useProviders() {
  return useQuery({ queryKey: PROVIDERS, queryFn: async () => (await told(api.GET("/admin/providers"))).providers });
}

/** Who has failed of late, asked for again while somebody looks. */
export function useBreakers() {
  return useQuery({
    queryKey: ["breakers"],
    queryFn: async () => (await told(api.GET("/admin/breakers"))).breakers,
    refetchInterval: LOOK_MS,
  });
}

/** A provider as the API takes it; what nobody set stays unset. */
export function bodyOf(provider: Provider): Schemas["ProviderBody"] {
  const { kind, options, headers, organization, enabled, automatic, usual } = provider;
  return {
    kind,
    options,
    headers,
    organization,
    enabled,
    automatic,
    base_url: usual.includes("base_url") ? "" : provider.base_url,
    timeout_s: usual.includes("timeout_s") ? null : provider.timeout_s,
  };
}

export function put(name: string, body: Schemas["ProviderBody"]): Promise<Provider> {
  return told(api.PUT("/admin/providers/{name}", { params: { path: { name } }, body }));
}
