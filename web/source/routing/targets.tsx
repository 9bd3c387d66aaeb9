/** Where a rule leads: the first that can answer does. */
import { Autocomplete, Button, Fieldset, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { useModels } from "../models/library";
import { Pairs } from "../parts/pairs";
import { useProviders } from "../providers/providers";
import { wrongAt } from "../api/failure";
import { emptyTarget, type DraftTarget } from "./draft";

interface Props {
  targets: DraftTarget[];
  error: unknown;
  change: (targets: DraftTarget[]) => void;
}

export function Targets({ targets, error, change }: Props) {
  const put = (index: number, target: DraftTarget) => change(targets.map((each, at) => (at === index ? target : each)));
  const swap = (index: number, other: number) =>
    change(targets.map((each, at) => targets[at === index ? other : at === other ? index : at] ?? each));
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        Goes to
      </Text>
      {targets.map((target, index) => (
        <OneTarget
          key={target.id}
          number={index + 1}
          target={target}
          error={error}
          change={(changed) => put(index, changed)}
          up={index > 0 ? () => swap(index, index - 1) : undefined}
          down={index < targets.length - 1 ? () => swap(index, index + 1) : undefined}
          remove={targets.length > 1 ? () => change(targets.filter((each) => each.id !== target.id)) : undefined}
        />
      ))}
      <Group>
        <Button
          size="xs"
          variant="default"
          disabled={targets.length >= 16}
          onClick={() => change([...targets, emptyTarget()])}
        >
          Add one for when {targets.length === 1 ? "it" : "they"} cannot answer
        </Button>
      </Group>
    </Stack>
  );
}

interface OneProps {
  number: number;
  target: DraftTarget;
  error: unknown;
  change: (target: DraftTarget) => void;
  up?: () => void;
  down?: () => void;
  remove?: () => void;
}

function OneTarget({ number, target, error, change, up, down, remove }: OneProps) {
  const at = `targets.${number - 1}`;
  const known = useChoices(target.provider);
  return (
    <Fieldset legend={number === 1 ? "First" : `Else (${number})`} p="sm">
      <Stack gap="xs">
        <Group gap="xs" align="flex-start">
          <NativeSelect
            flex="1 1 10rem"
            label="Provider"
            aria-label={`Provider of target ${number}`}
            data={known.providers}
            value={target.provider}
            error={wrongAt(error, `${at}.provider`)}
            onChange={(event) => change({ ...target, provider: event.currentTarget.value })}
          />
          <Autocomplete
            flex="2 1 12rem"
            label="Model"
            aria-label={`Model of target ${number}`}
            placeholder={target.provider === "" ? "pony" : "as it was asked"}
            data={known.models}
            limit={20}
            maxLength={512}
            value={target.model}
            error={wrongAt(error, at, `${at}.model`)}
            onChange={(model) => change({ ...target, model })}
          />
        </Group>
        {target.options.length > 0 || wrongAt(error, `${at}.options`) ? (
          <Pairs
            legend="Options, passed on as they stand"
            one="Option"
            error={wrongAt(error, `${at}.options`)}
            pairs={target.options}
            change={(options) => change({ ...target, options })}
          />
        ) : (
          <Group>
            <Button size="compact-xs" variant="subtle" onClick={() => change({ ...target, options: [["", ""]] })}>
              Set options
            </Button>
          </Group>
        )}
        {(up || down || remove) && (
          <Group gap="xs">
            <Button size="compact-xs" variant="default" disabled={!up} onClick={up} aria-label={`Ask target ${number} earlier`}>
              Earlier
            </Button>
            <Button size="compact-xs" variant="default" disabled={!down} onClick={down} aria-label={`Ask target ${number} later`}>
              Later
            </Button>
            <Button size="compact-xs" variant="default" disabled={!remove} onClick={remove} aria-label={`Remove target ${number}`}>
              Remove
            </Button>
          </Group>
        )}
      </Stack>
    </Fieldset>
  );
}

/** What can be chosen. Models of a provider are not asked for here: any name may be typed. */
function useChoices(provider: string) {
  const models = useModels();
  const providers = useProviders();
  const names = ["local", ...(providers.data ?? []).map((each) => each.name)];
  if (provider !== "" && !names.includes(provider)) names.push(provider); // one that is gone stays readable
  return {
    providers: [
      { value: "", label: "wherever the model is" },
      ...names.map((name) => ({ value: name, label: name === "local" ? "this machine" : name })),
    ],
    models: provider === "" || provider === "local" ? (models.data ?? []).map((each) => each.name) : [],
  };
}
