/** A provider being added or changed. */
import { Button, Group, Modal, NativeSelect, NumberInput, PasswordInput, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { fieldOf, wrongAt } from "../api/failure";
import { fromPairs, Pairs, textsFromPairs, toPairs, type Pair } from "../parts/pairs";
import { Failed, Loaded } from "../parts/states";
import { KINDS, put, PROVIDERS, useProviders, type Kind, type Provider } from "./providers";

const SHOWN = ["name", "base_url", "headers", "options", "timeout_s", "key", "organization"]; // beside their fields

export function ProviderDialog({ name, close }: { name: string | null; close: () => void }) {
  const providers = useProviders();
  return (
    <Modal
      opened
      onClose={close}
      size="lg"
      title={name === null ? "Add a provider" : `Provider ${name.slice(0, 80)}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Loaded query={providers}>
        {(all) => {
          const provider = all.find((each) => each.name === name) ?? null;
          if (name !== null && provider === null) return <Text>There is no provider of this name any more.</Text>;
          return <Form key={name} provider={provider} names={all.map((each) => each.name)} close={close} />;
        }}
      </Loaded>
    </Modal>
  );
}

interface FormProps {
  provider: Provider | null;
  names: string[]; // that are taken
  close: () => void;
}

function Form({ provider, names, close }: FormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(provider?.name ?? "");
  const [kind, setKind] = useState<Kind>(provider?.kind ?? "openai");
  const [address, setAddress] = useState(provider && !provider.usual.includes("base_url") ? provider.base_url : "");
  const [silence, setSilence] = useState<number | "">(provider && !provider.usual.includes("timeout_s") ? provider.timeout_s : "");
  const [headers, setHeaders] = useState<readonly Pair[]>(Object.entries(provider?.headers ?? {}));
  const [options, setOptions] = useState<readonly Pair[]>(toPairs(provider?.options ?? {}));
  const [organization, setOrganization] = useState(provider?.organization ?? "");
  const [automatic, setAutomatic] = useState(provider?.automatic ?? false);
  const [key, setKey] = useState("");
  const taken = provider === null && names.includes(name.trim());

  const saved = useMutation({
    mutationFn: () =>
      put(name.trim(), {
        kind,
        base_url: address.trim(),
        headers: textsFromPairs(headers),
        options: fromPairs(options),
        organization: organization.trim(),
        timeout_s: silence === "" ? null : silence,
        enabled: provider?.enabled ?? true,
        automatic,
        key: key.trim() || null,
      }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: PROVIDERS });
      close();
    },
  });
  const wrong = (field: string) => wrongAt(saved.error, field);

  function submit(event: FormEvent) {
    event.preventDefault();
    saved.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        {provider?.from_settings && (
          <Text size="sm">It stands in the settings. What you save here is kept by the server, and holds in its place.</Text>
        )}
        <Group gap="xs" align="flex-start">
          <TextInput
            flex="1 1 10rem"
            label="Name"
            required
            disabled={provider !== null}
            data-autofocus={provider === null ? true : undefined}
            placeholder="openai"
            maxLength={64}
            value={name}
            error={taken ? "There is a provider of this name. Edit that one." : wrong("name")}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <NativeSelect
            flex="2 1 14rem"
            label="What it speaks"
            data={KINDS.map(({ value, label }) => ({ value, label }))}
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as Kind)}
          />
        </Group>
        <TextInput
          label="Address"
          inputMode="url"
          placeholder={KINDS.find(({ value }) => value === kind)?.usual}
          maxLength={2048}
          value={address}
          error={wrong("base_url")}
          onChange={(event) => setAddress(event.currentTarget.value)}
        />
        {provider === null && (
          <PasswordInput
            label="Key"
            description="Kept in the vault, and never shown again"
            autoComplete="off"
            maxLength={8192}
            value={key}
            error={wrong("key")}
            onChange={(event) => setKey(event.currentTarget.value)}
          />
        )}
        <Group gap="xs" align="flex-start">
          <NumberInput
            flex="1 1 10rem"
            label="Seconds it may be silent"
            placeholder="as usual"
            min={1}
            max={86_400}
            value={silence}
            error={wrong("timeout_s")}
            onChange={(value) => setSilence(value === "" ? "" : Number(value))}
          />
          {kind === "openai" && (
            <TextInput
              flex="1 1 10rem"
              label="Organisation that pays"
              maxLength={256}
              value={organization}
              error={wrong("organization")}
              onChange={(event) => setOrganization(event.currentTarget.value)}
            />
          )}
        </Group>
        <Switch
          label="auto may choose its models, and send it what people ask"
          checked={automatic}
          onChange={(event) => setAutomatic(event.currentTarget.checked)}
        />
        <Pairs legend="Headers sent along" one="Header" error={wrong("headers")} pairs={headers} change={setHeaders} />
        <Pairs
          legend="Options sent with every request"
          one="Option"
          hint="What reads as JSON is JSON; everything else is a text."
          error={wrong("options")}
          pairs={options}
          change={setOptions}
        />
        {saved.isError && !SHOWN.includes(fieldOf(saved.error)) && <Failed error={saved.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={saved.isPending} disabled={name.trim() === "" || taken}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
