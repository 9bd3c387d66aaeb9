import { Button, Group, NativeSelect } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told } from "../api/client";
import { useModels } from "../models/library";
import { Failed } from "../parts/states";

/** Brings a model into memory. */
export function LoadForm({ loaded }: { loaded: string[] }) {
  const queries = useQueryClient();
  const models = useModels();
  const [chosen, choose] = useState("");
  const able = (models.data ?? []).map((model) => model.name).filter((name) => !loaded.includes(name));
  const name = able.includes(chosen) ? chosen : (able[0] ?? "");
  const load = useMutation({
    mutationFn: (id: string) => told(api.POST("/admin/models/load/{id}", { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["status"] }),
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    load.mutate(name);
  }

  return (
    <>
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <NativeSelect
            flex="0 1 20rem"
            label="Model to load"
            data={able}
            value={name}
            onChange={(event) => choose(event.currentTarget.value)}
          />
          <Button type="submit" loading={load.isPending} disabled={name === ""}>
            Load
          </Button>
        </Group>
      </form>
      {load.isError && <Failed error={load.error} />}
      {models.isError && <Failed error={models.error} retry={() => void models.refetch()} />}
    </>
  );
}
