/** Where a name would lead now, and why. Nobody is asked; the address holds the question. */
import { Autocomplete, Button, Checkbox, Group, Paper, Textarea } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent } from "react";
import { useSearchParams } from "wouter";
import { api, told } from "../api/client";
import { useModels } from "../models/library";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";
import { Explained } from "./explanation";
import { useProfiles } from "./profiles";

const NEEDS = ["vision", "tools", "thinking", "embeddings"] as const;
type Need = (typeof NEEDS)[number];

export function Tester() {
  const [search, setSearch] = useSearchParams();
  const asked = search.get("ask");
  const needs = NEEDS.filter((need) => search.getAll("need").includes(need));
  const [typed, setTyped] = useState(asked ?? "");
  const [wanted, setWanted] = useState<Need[]>(needs);
  const [text, setText] = useState(""); // what people say stays out of addresses
  const [said, setSaid] = useState("");
  const suggestions = useSuggestions();
  useEffect(() => setTyped(asked ?? ""), [asked]); // a link of this page may ask, too

  const found = useQuery({
    queryKey: ["explain", asked, needs, said],
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    queryFn: () => told(api.POST("/admin/route/explain", { body: { model: asked ?? "", needs, text: said } })),
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setSaid(text.trim());
    const next = new URLSearchParams({ ask: typed.trim() });
    wanted.forEach((need) => next.append("need", need));
    if (next.toString() === search.toString() && text.trim() === said) void found.refetch();
    else if (next.toString() !== search.toString()) setSearch(next);
  }

  return (
    <Section name="Try a name">
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <Autocomplete
            flex="1 1 14rem"
            maw="30rem"
            label="Name of a model, as it would be asked; empty is the default"
            placeholder="auto:code"
            data={suggestions}
            limit={20}
            maxLength={512}
            value={typed}
            onChange={setTyped}
          />
          <Button type="submit" loading={found.isFetching}>
            Explain
          </Button>
        </Group>
        <Textarea
          mt="xs"
          maw="48rem"
          label="What its user says, where a model reads it to pick the route"
          autosize
          minRows={1}
          maxRows={6}
          maxLength={100_000}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Checkbox.Group
          label="What the request cannot do without"
          mt="xs"
          value={wanted}
          onChange={(values) => setWanted(NEEDS.filter((need) => values.includes(need)))}
        >
          <Group gap="md" mt={4}>
            {NEEDS.map((need) => (
              <Checkbox key={need} value={need} label={need} size="xs" />
            ))}
          </Group>
        </Checkbox.Group>
      </form>
      {asked !== null && (
        <Paper withBorder p="sm" component="section" aria-label="Where it leads" aria-live="polite">
          <Loaded query={found}>{(explanation) => <Explained found={explanation} />}</Loaded>
        </Paper>
      )}
    </Section>
  );
}

function useSuggestions(): string[] {
  const models = useModels();
  const profiles = useProfiles();
  const virtual = (profiles.data?.profiles ?? []).map((profile) => `auto:${profile.name}`);
  return [...new Set(["auto", ...virtual, ...(models.data ?? []).map((model) => model.name)])];
}
