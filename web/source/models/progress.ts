import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ask } from "../api/client";
import { eventsOf } from "../api/events";

/** One report of a pull: the event `progress`. */
export interface Progress {
  downloaded_bytes: number;
  total_bytes: number;
  download_speed: number;
  eta_seconds: number | null;
  status: string;
}

/** How far a pull is, as its events tell it. When they end the lists are asked for again. */
export function useProgress(id: string, moving: boolean): Progress | null {
  const queries = useQueryClient();
  const [progress, setProgress] = useState<Progress | null>(null);
  useEffect(() => {
    if (!moving) return;
    const leaving = new AbortController();
    async function follow() {
      try {
        const response = await ask(`/admin/pulls/events/${encodeURIComponent(id)}`, { signal: leaving.signal });
        for await (const event of eventsOf(response)) {
          if (event.name === "progress") setProgress(JSON.parse(event.data) as Progress);
        }
      } catch {
        // The list of pulls, which is asked for again and again, says what is wrong.
      }
      if (leaving.signal.aborted) return;
      await Promise.all(["pulls", "models", "usage"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
    }
    void follow();
    return () => {
      leaving.abort();
      setProgress(null);
    };
  }, [id, moving, queries]);
  return progress;
}
