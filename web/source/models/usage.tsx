/** What models take on the disk, by what runs them. */
import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, told } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";
import { CleanDialog } from "./clean";

export function Usage() {
  const usage = useQuery({ queryKey: ["usage"], queryFn: () => told(api.GET("/admin/library/usage")) });
  const [cleaning, setCleaning] = useState(false);
  return (
    <Section name="On the disk">
      <Loaded query={usage}>
        {(report) => (
          <>
            <Text size="sm">
              {bytes(report.total_bytes)} in all
              {report.saved_bytes > 0 && `; sharing files spares ${bytes(report.saved_bytes)}`}.
            </Text>
            <Stack gap="xs" maw="40rem">
              {Object.entries(report.frameworks ?? {}).map(([framework, size]) => (
                <div key={framework}>
                  <Text size="sm">
                    {framework}: {bytes(size)}
                  </Text>
                  <Progress
                    value={report.total_bytes > 0 ? (100 * size) / report.total_bytes : 0}
                    aria-label={`Share of ${framework}`}
                  />
                </div>
              ))}
            </Stack>
          </>
        )}
      </Loaded>
      <Group>
        <Button variant="default" size="xs" onClick={() => setCleaning(true)}>
          Clean up
        </Button>
      </Group>
      {cleaning && <CleanDialog close={() => setCleaning(false)} />}
    </Section>
  );
}
