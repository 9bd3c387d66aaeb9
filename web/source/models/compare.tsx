/** Two to four models side by side. */
import { Badge, Modal, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { bytes, many } from "../parts/numbers";
import { Scrolled } from "../parts/scrolled";
import { Loaded } from "../parts/states";

type Cell = Schemas["Row"]["values"][number];
export const COMPARED_MAX = 4;

export function CompareDialog({ names, close }: { names: string[]; close: () => void }) {
  const comparison = useQuery({
    queryKey: ["compare", ...names],
    queryFn: () => told(api.GET("/admin/library/compare", { params: { query: { name: names } } })),
  });
  return (
    <Modal opened onClose={close} size="auto" title="Models side by side" closeButtonProps={{ "aria-label": "Close" }}>
      <Loaded query={comparison}>
        {({ models, rows }) => (
          <Scrolled name="Models side by side">
            <Table miw={`${10 + 12 * models.length}rem`}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Td />
                  {models.map((name) => (
                    <Table.Th key={name} scope="col" style={{ overflowWrap: "anywhere" }}>
                      {name}
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((row) => (
                  <Table.Tr key={row.field}>
                    <Table.Th scope="row">{row.field.replaceAll("_", " ")}</Table.Th>
                    {row.values.map((value, index) => (
                      <Table.Td key={models[index]} style={{ overflowWrap: "anywhere" }}>
                        <Text size="sm" span fw={row.differs ? 600 : 400}>
                          {written(row.field, value)}
                        </Text>{" "}
                        {(row.best ?? []).includes(models[index]!) && (
                          <Badge size="sm" tt="none">
                            best
                          </Badge>
                        )}
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scrolled>
        )}
      </Loaded>
    </Modal>
  );
}

export function written(field: string, value: Cell): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return value;
  if (field === "size" || field === "memory") return bytes(value);
  return field === "parameters" ? many(value) : value.toLocaleString("en");
}
