/** A rule being written. The server judges it while it is, and says what it would do, before anything is saved. */
import { Button, Group, Modal, NativeSelect, NumberInput, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told } from "../api/client";
import { fieldOf, wrongAt } from "../api/failure";
import { Failed, Loaded } from "../parts/states";
import { draftOf, isWhole, namesOf, ruleOf, type Draft } from "./draft";
import { useReplay } from "./replay";
import { Replayed } from "./replayed";
import { RuleTests } from "./rule-tests";
import { MATCHES, RULES, useRules, type Rule } from "./rules";
import { Targets } from "./targets";

const DAY_H = 24;
const PAUSE_MS = 400; // after the last letter
const SHOWN = /^(name|pattern|priority|description|targets\.\d+(\.(provider|model|options))?)$/; // beside their fields

/** The dialog for the rule of this name, or with null for a new one. */
export function RuleDialog({ name, close }: { name: string | null; close: () => void }) {
  const rules = useRules();
  return (
    <Modal
      opened
      onClose={close}
      size="xl"
      title={name === null ? "New rule" : `Rule ${name.slice(0, 80)}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Loaded query={rules}>
        {(all) => {
          const rule = all.find((each) => each.name === name) ?? null;
          if (name !== null && rule === null) return <Text>There is no rule of this name any more.</Text>;
          return <Form key={name} rule={rule} others={all.filter((each) => each.name !== name)} close={close} />;
        }}
      </Loaded>
    </Modal>
  );
}

function Form({ rule, others, close }: { rule: Rule | null; others: Rule[]; close: () => void }) {
  const queries = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(rule));
  const [settled] = useDebouncedValue(draft, PAUSE_MS);
  const judged = useQuery({
    queryKey: ["rule-test", { ...ruleOf(settled), test: namesOf(settled) }],
    enabled: isWhole(settled),
    gcTime: 0,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: () => told(api.POST("/admin/routes/test", { body: { ...ruleOf(settled), test: namesOf(settled) } })),
  });
  const saved = useMutation({
    mutationFn: () => {
      const { name, ...fields } = ruleOf(draft);
      const call = { params: { path: { name } }, body: { ...fields, test: namesOf(draft) } };
      return rule === null ? told(api.POST("/admin/routes/{name}", call)) : told(api.PUT("/admin/routes/{name}", call));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: RULES });
      close();
    },
  });
  const replayed = useReplay();
  const error = saved.error ?? (isWhole(draft) ? judged.error : null);

  function put(change: Partial<Draft>) {
    setDraft({ ...draft, ...change });
    saved.reset();
    replayed.reset(); // it was of another rule
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    saved.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        <Group gap="xs" align="flex-start">
          <TextInput
            flex="2 1 12rem"
            label="Name of the rule"
            required
            disabled={rule !== null}
            data-autofocus={rule === null ? true : undefined}
            maxLength={64}
            value={draft.name}
            error={wrongAt(error, "name")}
            onChange={(event) => put({ name: event.currentTarget.value })}
          />
          <NumberInput
            flex="1 1 7rem"
            label="Priority"
            description="Higher goes first"
            inputWrapperOrder={["label", "input", "description", "error"]}
            allowDecimal={false}
            min={-1_000_000}
            max={1_000_000}
            value={draft.priority}
            error={wrongAt(error, "priority")}
            onChange={(priority) => put({ priority: Number(priority) || 0 })}
          />
        </Group>
        <Group gap="xs" align="flex-start">
          <NativeSelect
            flex="1 1 10rem"
            label="A name of a model that"
            data={MATCHES.map((each) => ({ ...each }))}
            value={draft.match}
            onChange={(event) => put({ match: event.currentTarget.value as Draft["match"] })}
          />
          <TextInput
            flex="2 1 12rem"
            label="Pattern"
            required
            ff="monospace"
            placeholder={{ exact: "gpt-4.1", prefix: "gpt-", regex: "gpt-(.*)" }[draft.match]}
            maxLength={512}
            value={draft.pattern}
            error={wrongAt(error, "pattern")}
            onChange={(event) => put({ pattern: event.currentTarget.value })}
          />
        </Group>
        <Targets targets={draft.targets} error={error} change={(targets) => put({ targets })} />
        <Text size="xs" c="dimmed">
          In a model&apos;s name {"{model}"} is the name that was asked
          {draft.match === "prefix" && ", {rest} what follows the prefix"}
          {draft.match === "regex" && ", {1} what the first group of the expression fits"}.
        </Text>
        <TextInput
          label="What it is for"
          maxLength={2000}
          value={draft.description}
          error={wrongAt(error, "description")}
          onChange={(event) => put({ description: event.currentTarget.value })}
        />
        <Switch label="Follow it" checked={draft.enabled} onChange={(event) => put({ enabled: event.currentTarget.checked })} />
        <Textarea
          label="Names to try it with, one a line"
          autosize
          minRows={1}
          maxRows={6}
          placeholder={namesOf({ ...draft, names: "" })[0] || "gpt-4.1"}
          value={draft.names}
          onChange={(event) => put({ names: event.currentTarget.value })}
        />
        {isWhole(draft) && !error && judged.data && <RuleTests tests={judged.data.tests} rule={draft.name.trim()} />}
        {replayed.isSuccess && <Replayed found={replayed.data} />}
        {replayed.isError && <Failed error={replayed.error} />}
        {error && !SHOWN.test(fieldOf(error)) ? <Failed error={error} /> : null}
        <Group justify="space-between">
          <Button
            variant="default"
            disabled={!isWhole(draft)}
            loading={replayed.isPending}
            onClick={() => replayed.mutate({ rules: [...others, ruleOf(draft)], hours: DAY_H })}
          >
            Replay the last day
          </Button>
          <Group gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={saved.isPending} disabled={!isWhole(draft)}>
              Save
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
