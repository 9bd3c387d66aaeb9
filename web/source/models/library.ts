/** The models on this machine's disk and those on their way, as several pages ask for them. */
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";

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
