/** How callers, groups and numbers of requests are written. */
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";

const OURS: Record<string, string> = {
  "": "anyone",
  admin: "the admin key",
  local: "this machine's own programs",
  launch: "launched programs",
};

/** From the id of a caller to a name that people know. Whoever may not see users and keys sees ids. */
export function useCallers(): (id: string) => string {
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => told(api.GET("/admin/keys")), staleTime: 60_000 });
  const users = useQuery({ queryKey: ["users"], queryFn: () => told(api.GET("/admin/users")), staleTime: 60_000 });
  return (id) => {
    const [kind, own] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
    if (kind === "key") return `${keys.data?.keys.find((one) => one.id === own)?.name ?? own} (key)`;
    if (kind === "user") return users.data?.users.find((one) => one.id === own)?.name ?? own;
    return OURS[id] ?? id;
  };
}

/** The name of a group of a chart. */
export function groupName(by: string, name: string | null, callers: (id: string) => string): string {
  if (name === null) return "all others";
  if (by === "caller") return callers(name);
  return name || "answered by nobody";
}

/** A time of this person's day; with the date where it was another day. */
export function moment(iso: string, now = new Date()): string {
  const time = new Date(iso);
  const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return time.toDateString() === now.toDateString() ? clock : `${time.toLocaleDateString()} ${clock}`;
}

export function took(microseconds: number | null): string {
  if (microseconds === null) return "–";
  const ms = microseconds / 1000;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

/** In the currency of the table of prices. */
export function cost(nanos: number | null): string {
  if (nanos === null) return "–";
  const value = nanos / 1e9;
  return value === 0 || value >= 0.01 ? value.toFixed(2) : value.toPrecision(2);
}
