/** What models take on the disk. */
import { List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";

export function Usage() {
  const usage = useQuery({ queryKey: ["usage"], queryFn: () => told(api.GET("/admin/library/usage")) });
  return (
    <Section name="On the disk">
      <Loaded query={usage}>
        {(report) => (
          <>
            <Text size="sm">
              {bytes(report.total_bytes)} in all
              {report.saved_bytes > 0 && `; sharing files spares ${bytes(report.saved_bytes)}`}.
            </Text>
            <List size="sm">
              {Object.entries(report.frameworks ?? {}).map(([framework, size]) => (
                <List.Item key={framework}>
                  {framework}: {bytes(size)}
                </List.Item>
              ))}
            </List>
          </>
        )}
      </Loaded>
    </Section>
  );
}
