import { Paper, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, told, type Schemas } from "../api/client";
import { Section } from "../parts/section";
import { Empty, Loaded } from "../parts/states";
import { Setting } from "./setting";

type Line = Schemas["SettingLine"];

/** Every setting in force, where it comes from, and a way to change it in one's own file. */
export function Options() {
  const [words, setWords] = useState("");
  const settings = useQuery({
    queryKey: ["settings"],
    queryFn: async () => (await told(api.GET("/admin/config"))).settings,
  });
  return (
    <Stack gap="xl">
      <Text size="sm">
        What is saved here is written to your own configuration file. Flags, variables and a workspace's file are stronger.
      </Text>
      <TextInput
        label="Find a setting"
        placeholder="pool.memory"
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
      <Loaded query={settings}>
        {(all) => {
          const found = all.filter((line) => line.key.includes(words.trim().toLowerCase()));
          if (found.length === 0) return <Empty>No setting has this in its name.</Empty>;
          return [...bySection(found)].map(([name, lines]) => (
            <Section key={name} name={name}>
              <Paper withBorder>
                {lines.map((line) => (
                  <Setting key={line.key} line={line} />
                ))}
              </Paper>
            </Section>
          ));
        }}
      </Loaded>
    </Stack>
  );
}

function bySection(lines: Line[]): Map<string, Line[]> {
  const sections = new Map<string, Line[]>();
  for (const line of lines) {
    const name = line.key.split(".")[0] ?? "";
    sections.set(name, [...(sections.get(name) ?? []), line]);
  }
  return sections;
}
