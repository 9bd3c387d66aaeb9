/** Requests that were answered, held against rules: which of them would go elsewhere. Nobody is asked. */
import { Button, Group, NativeSelect, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told } from "../api/client";
import { Section } from "../parts/section";
import { Failed } from "../parts/states";
import { Replayed } from "./replayed";
import { bodyOf, useRules, type Rule } from "./rules";

const HOUR_MS = 3_600_000;
const PERIODS = [
  { value: "1", label: "the last hour" },
  { value: "24", label: "the last day" },
  { value: "168", label: "the last week" },
];

export function Replay() {
  const rules = useRules();
  const [hours, setHours] = useState("24");
  const replayed = useReplay();

  function submit(event: FormEvent) {
    event.preventDefault();
    if (rules.data) replayed.mutate({ rules: rules.data, hours: Number(hours) });
  }

  return (
    <Section name="Replay">
      <Text size="sm">
        Which requests would go elsewhere today, by the rules, profiles and models that there are now. A rule that is not saved yet can
        be tried the same way while it is edited.
      </Text>
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <NativeSelect
            label="Requests of"
            data={PERIODS}
            value={hours}
            onChange={(event) => setHours(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" disabled={!rules.isSuccess} loading={replayed.isPending}>
            Replay
          </Button>
        </Group>
      </form>
      {replayed.isError && <Failed error={replayed.error} />}
      {replayed.isSuccess && <Replayed found={replayed.data} />}
    </Section>
  );
}

/** Hold the requests of the last hours against `rules`. */
export function useReplay() {
  return useMutation({
    mutationFn: ({ rules, hours }: { rules: Rule[]; hours: number }) =>
      told(
        api.POST("/admin/route/replay", {
          body: { rules: rules.map(bodyOf), since: new Date(Date.now() - hours * HOUR_MS).toISOString(), limit: 0 },
        }),
      ),
  });
}
