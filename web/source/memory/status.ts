import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";

/** Who is in memory, asked for again while somebody looks. */
export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: () => told(api.GET("/admin/models/status")),
    refetchInterval: 2000,
  });
}
