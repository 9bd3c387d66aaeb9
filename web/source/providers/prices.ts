/** What models cost, by the table in the settings: for a million tokens of prompts and answers. */
import { useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";

export type Prices = [pattern: string, price: Record<string, number>][];
const BELOW = "audit.prices.";

export function usePrices() {
  return useQuery({
    queryKey: ["settings"],
    queryFn: async () => (await told(api.GET("/admin/config"))).settings,
    select: pricesIn,
  });
}

/** The table in these settings, the pattern that says most first. */
export function pricesIn(settings: readonly Schemas["SettingLine"][]): Prices {
  const table = new Map<string, Record<string, number>>();
  for (const { key, value } of settings) {
    if (!key.startsWith(BELOW) || typeof value !== "number") continue;
    const end = key.lastIndexOf(".");
    const pattern = key.slice(BELOW.length, end);
    table.set(pattern, { ...table.get(pattern), [key.slice(end + 1)]: value });
  }
  return [...table].sort(([one], [other]) => other.length - one.length || (one < other ? -1 : 1));
}

/** The price of a model in words; empty when the table has none. */
export function priceOf(model: string, prices: Prices): string {
  const price = prices.find(([pattern]) => fits(model, pattern))?.[1];
  return price === undefined ? "" : `${price.prompt ?? 0} in, ${price.completion ?? 0} out for a million tokens`;
}

function fits(model: string, pattern: string): boolean {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(model);
}
