import { Stack, Title } from "@mantine/core";
import { Section } from "../parts/section";
import { Empty, Loaded } from "../parts/states";
import { Budget } from "./budget";
import { InMemory } from "./in-memory";
import { LimitsSection } from "./limits";
import { LoadForm } from "./load";
import { useStatus } from "./status";

/** Memory: how much there is, who has it, and what to do about it. */
export function MemoryPage() {
  const status = useStatus();
  return (
    <Stack gap="xl" maw="90rem" mx="auto">
      <Title order={1}>Memory</Title>
      <Loaded query={status}>
        {(now) => {
          const loaded = Object.entries(now.loaded_models);
          return (
            <>
              <Budget status={now} />
              <Section name="In memory">
                <LoadForm loaded={Object.keys(now.loaded_models)} />
                {loaded.length === 0 && <Empty>No model is in memory. The first request for one loads it.</Empty>}
                {loaded.map(([name, model]) => (
                  <InMemory key={name} name={name} model={model} />
                ))}
              </Section>
              {now.waiting.length > 0 && (
                <Section name="Waiting for room">
                  {now.waiting.map((one) => (
                    <div key={one.name}>
                      {one.name}: {one.requests} requests, the first for {Math.round(one.longest_s)} s
                    </div>
                  ))}
                </Section>
              )}
            </>
          );
        }}
      </Loaded>
      <LimitsSection />
    </Stack>
  );
}
