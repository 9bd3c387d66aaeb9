/** A profile being written: one of your own, which may stand in the place of a built-in one. */
import { Autocomplete, Button, Checkbox, Group, Modal, NativeSelect, NumberInput, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { fieldOf, wrongAt } from "../api/failure";
import { useModels } from "../models/library";
import { Failed, Loaded } from "../parts/states";
import { CAPABILITIES, PROFILES, useProfiles, type Profile } from "./profiles";

export function ProfileDialog({ name, close }: { name: string | null; close: () => void }) {
  const profiles = useProfiles();
  return (
    <Modal
      opened
      onClose={close}
      size="lg"
      title={name === null ? "New profile" : `Profile ${name.slice(0, 80)}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Loaded query={profiles}>
        {(document) => {
          const profile = document.profiles.find((each) => each.name === name) ?? null;
          if (name !== null && profile === null) return <Text>There is no profile of this name any more.</Text>;
          return <Form key={name} profile={profile} document={document} close={close} />;
        }}
      </Loaded>
    </Modal>
  );
}

function Form({ profile, document, close }: { profile: Profile | null; document: Schemas["ProfileList"]; close: () => void }) {
  const queries = useQueryClient();
  const models = useModels();
  const others = document.profiles.map((each) => each.name).filter((each) => each !== profile?.name);
  const [name, setName] = useState(profile?.name ?? "");
  const [description, setDescription] = useState(profile?.description ?? "");
  const [families, setFamilies] = useState(profile?.preferred_families ?? []);
  const [context, setContext] = useState(profile?.min_context_window ?? 0);
  const [able, setAble] = useState(profile?.required_capabilities ?? ["streaming"]);
  const [fallback, setFallback] = useState(profile?.fallback_profile ?? "");
  const [override, setOverride] = useState(profile ? (document.overrides[profile.name] ?? "") : "");
  const taken = profile === null && others.includes(name.trim());

  const saved = useMutation({
    mutationFn: () =>
      told(
        api.PUT("/admin/profiles/{name}", {
          params: { path: { name: name.trim() } },
          body: {
            description,
            preferred_families: families,
            min_context_window: context,
            required_capabilities: able,
            fallback_profile: fallback || null,
            override: override.trim() || null,
          },
        }),
      ),
    onSuccess: close,
    onSettled: () => queries.invalidateQueries({ queryKey: PROFILES }),
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    saved.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        {profile !== null && !profile.own && (
          <Text size="sm">It is built in. What you save is your own, and stands in its place until you remove it.</Text>
        )}
        <TextInput
          label="Name of the profile"
          description="Asked for as auto:NAME"
          required
          disabled={profile !== null}
          maxLength={64}
          value={name}
          error={taken ? "There is a profile of this name. Edit that one." : wrongAt(saved.error, "name")}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label="What it is for"
          maxLength={500}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        <TagsInput
          label="Families of models, best first"
          description="Enter ends a word"
          splitChars={[",", " "]}
          acceptValueOnBlur
          value={families}
          onChange={setFamilies}
        />
        <NumberInput
          label="Tokens of context that a model must have"
          allowDecimal={false}
          min={0}
          max={1_000_000_000}
          thousandSeparator=","
          value={context}
          onChange={(value) => setContext(Number(value) || 0)}
        />
        <Checkbox.Group label="What a model must be able to do" value={able} onChange={setAble}>
          <Group gap="md" mt={4}>
            {CAPABILITIES.map((each) => (
              <Checkbox key={each} value={each} label={each} size="xs" />
            ))}
          </Group>
        </Checkbox.Group>
        <NativeSelect
          label="When no model suits, this profile decides"
          data={[{ value: "", label: "none" }, ...others]}
          value={fallback}
          onChange={(event) => setFallback(event.currentTarget.value)}
        />
        <Autocomplete
          label="Always this model, if it is there"
          placeholder="the one that suits best"
          data={(models.data ?? []).map((model) => model.name)}
          limit={20}
          maxLength={512}
          value={override}
          onChange={setOverride}
        />
        {saved.isError && fieldOf(saved.error) !== "name" && <Failed error={saved.error} />}
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
