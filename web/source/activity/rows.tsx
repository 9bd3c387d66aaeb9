/** Requests that are over, a page at a time: however many there are, the page holds as many as it shows. */
import { Anchor, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { api, told, type Schemas } from "../api/client";
import { Scrolled } from "../parts/scrolled";
import { Section } from "../parts/section";
import { Empty, Loaded } from "../parts/states";
import { wantedBy, type Filters } from "./filters";
import { moment, took } from "./names";
import classes from "./rows.module.css";
import { Ended } from "./status";

const PAGE = 50;

interface Props {
  filters: Filters;
  head: number | null;
  callers: (id: string) => string;
  turn: (before: number | null) => void;
}

export function Rows({ filters, head, callers, turn }: Props) {
  const { by: _, ...view } = filters;
  const page = useQuery({
    // An older page stays what it is; the first one changes with every row.
    queryKey: ["audit", "rows", view, filters.before === null ? head : null],
    queryFn: () => {
      const query = { ...wantedBy(filters, Date.now()), limit: PAGE, ...(filters.before === null ? {} : { before: filters.before }) };
      return told(api.GET("/admin/audit", { params: { query } }));
    },
    enabled: head !== null,
    placeholderData: (earlier) => earlier,
  });
  return (
    <Section name="Requests">
      <Loaded query={page}>
        {({ rows, next }) => (
          <Stack gap="sm">
            {rows.length === 0 ? (
              <Empty>No request fits. Requests to models and changes are written down within a second.</Empty>
            ) : (
              <Listed rows={rows} callers={callers} />
            )}
            <Group gap="xs">
              <Button size="xs" variant="default" disabled={filters.before === null} onClick={() => turn(null)}>
                Latest
              </Button>
              <Button size="xs" variant="default" disabled={next === null} onClick={() => turn(next)}>
                Older
              </Button>
              {rows.length > 0 && (
                <Text size="sm" c="dimmed" role="status">
                  Rows {rows.at(-1)?.seq} to {rows[0]?.seq}
                </Text>
              )}
            </Group>
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}

function Listed({ rows, callers }: { rows: Schemas["AuditRow"][]; callers: (id: string) => string }) {
  return (
    <Scrolled name="Requests, one a row">
      <Table fz="sm" highlightOnHover className={classes.rows}>
        <Table.Thead>
          <Table.Tr>
            {["When", "How it ended", "What", "Who answered", "Route", "Who asked", "Tokens", "First token", "In all"].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.seq}>
              <Table.Td>
                <Anchor component={Link} href={`/activity/${row.seq}${location.search}`} size="sm" aria-label={`Request ${row.seq}, ${moment(row.at)}`}>
                  {moment(row.at)}
                </Anchor>
              </Table.Td>
              <Table.Td>
                <Ended row={row} />
              </Table.Td>
              <Table.Td className={classes.long}>{asked(row)}</Table.Td>
              <Table.Td className={classes.long}>{answered(row)}</Table.Td>
              <Table.Td className={classes.long}>{row.rule || row.route || "–"}</Table.Td>
              <Table.Td className={classes.long}>{callers(row.caller)}</Table.Td>
              <Table.Td>{row.prompt_tokens || row.completion_tokens ? `${row.prompt_tokens} → ${row.completion_tokens}` : "–"}</Table.Td>
              <Table.Td>{took(row.first_token_us)}</Table.Td>
              <Table.Td>{took(row.duration_us)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scrolled>
  );
}

function asked(row: Schemas["AuditRow"]): string {
  return row.asked_model || `${row.method} ${row.endpoint}`;
}

function answered(row: Schemas["AuditRow"]): string {
  if (row.model === "") return "–";
  const more = row.attempts > 1 ? `, ${row.attempts} tries` : "";
  return `${row.model} (${row.provider || "?"}${more})`;
}
