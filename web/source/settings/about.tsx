/** What runs here, where its files are, and whose work it is made of. */
import { Anchor, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";
import { bytes } from "../parts/numbers";
import { Scrolled } from "../parts/scrolled";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";

export function AboutPart() {
  const about = useQuery({ queryKey: ["about"], queryFn: () => told(api.GET("/admin/about")) });
  return (
    <Loaded query={about}>
      {(told) => (
        <>
          <Section name="This server">
            <Facts
              facts={[
                ["Paddock", `${told.version}, ${told.license}`],
                ["Python", told.python],
                ["System", told.platform],
                ["Device", `${told.device}, ${told.cores} cores`],
                ["Memory", `${bytes(told.memory_bytes)}, of which ${bytes(told.available_bytes)} are free`],
                ["Database", told.database],
              ]}
            />
          </Section>
          <Section name="Where its files are">
            <Facts facts={told.places.map((place) => [place.name, place.path])} />
          </Section>
          <Section name="Made of">
            <Text size="sm">
              The packages that this server uses, and their licences.{" "}
              <Anchor href={`/assets/licenses.md?${encodeURIComponent(told.version)}`} target="_blank" size="sm" underline="always">
                Those of the dashboard
              </Anchor>{" "}
              are in a file of their own.
            </Text>
            <Scrolled name="Packages">
              <Table fz="sm">
                <Table.Thead>
                  <Table.Tr>
                    {["Package", "Version", "Licence"].map((name) => (
                      <Table.Th key={name} scope="col">
                        {name}
                      </Table.Th>
                    ))}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {told.parts.map((part) => (
                    <Table.Tr key={part.name}>
                      <Table.Td>{part.name}</Table.Td>
                      <Table.Td>{part.version}</Table.Td>
                      <Table.Td>{part.license || "not said"}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Scrolled>
          </Section>
        </>
      )}
    </Loaded>
  );
}

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <Table fz="sm" style={{ overflowWrap: "anywhere" }}>
      <Table.Tbody>
        {facts.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row" w="9rem">
              {name}
            </Table.Th>
            <Table.Td>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
